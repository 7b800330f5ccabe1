"""BM25 over texts, by tantivy, in memory: stemmed English words, no query syntax.

Used by `cluster.memory.knowledge.search`. A question is taken apart by the same rules as the texts
and its words are looked up one by one; nothing in it is ever parsed. Scripts that put no spaces
between words are indexed by pairs of neighbouring signs, as most words there have two or more.
"""

from __future__ import annotations

import math
import re
import unicodedata
from collections.abc import Iterable
from itertools import pairwise

import tantivy
from tantivy import Occur, Query

WORDS_MAX = 64
"""Words of a question that are looked up."""
PAIR_WEIGHT = 0.2
"""Weight of two neighbouring words of the question beside that of each (on COVID-QA's 3,190
chunks, recall@5 rises from 0.733 to 0.751 with it; nothing changes on XQuAD)."""
QUESTION_CHARS_MAX = 4_000
_WORD_CHARS_MAX = 40
_WRITER_BYTES = 32_000_000
_K1 = 1.2
"""Tantivy's; a word's weight grows towards (k1 + 1) times its inverse document frequency."""
_CAMEL = re.compile(r"\b(?:[A-Z]*[a-z]{2,}|[A-Z]{2,})(?:[A-Z][a-z]{2,})+\b")
_HUMP = re.compile(r"[A-Z]?[a-z]+|[A-Z]+(?![a-z])")
_UNSPACED = re.compile(
    "["
    "\u0e01-\u0e4e\u0e81-\u0ecd\u1000-\u109f\u1780-\u17d3"  # Thai, Lao, Burmese, Khmer
    "\u1100-\u11ff\u3005\u3007\u3041-\u3096\u3099-\u309a\u30a1-\u30fa\u30fc-\u30ff"  # Hangul, Kana
    "\u3105-\u312f\u31f0-\u31ff\u3400-\u4dbf\u4e00-\u9fff\uac00-\ud7af\uf900-\ufaff"  # Han
    "\U00020000-\U0003134f"
    "]+"
)
_TOKENIZER = "words"
_LINKING = frozenset(
    re.findall(
        r"\w+",
        """
        a about an and are as at be been but by can could did do doe for from had has have he her
        his how i in into is it no not of on or she should so such than that the their then there
        these they this those to was were what when where which who whom whose why will with would
        """,
    )
)
"""Stemmed words that say nothing, unless a question has no others, or in a pair with another."""


class Lexicon:
    """An index of texts by their words; texts are known by their position."""

    def __init__(self, texts: Iterable[str]) -> None:
        builder = tantivy.SchemaBuilder()
        builder.add_text_field("text", tokenizer_name=_TOKENIZER, index_option="position")
        builder.add_unsigned_field("position", fast=True)
        index = tantivy.Index(builder.build())
        self._analyzer = (
            tantivy.TextAnalyzerBuilder(tantivy.Tokenizer.simple())
            .filter(tantivy.Filter.remove_long(_WORD_CHARS_MAX))
            .filter(tantivy.Filter.lowercase())
            .filter(tantivy.Filter.ascii_fold())
            .filter(tantivy.Filter.stemmer("English"))
            .build()
        )
        index.register_tokenizer(_TOKENIZER, self._analyzer)
        index.config_reader(reload_policy="manual")
        writer = index.writer(heap_size=_WRITER_BYTES, num_threads=1)
        for position, text in enumerate(texts):
            document = tantivy.Document()
            document.add_text("text", _spelled_out(text))
            document.add_unsigned("position", position)
            writer.add_document(document)
        writer.commit()
        writer.wait_merging_threads()
        index.reload()
        self._schema = index.schema
        self._searcher = index.searcher()

    def best(self, question: str, limit: int) -> tuple[list[int], list[float]]:
        """Return the positions of the best texts, and their scores: int[k], float[k], k <= limit.

        Positions count the texts from 0; the best is first, each is there once. A score is the
        share of the question's weight that the text has: 0 where it has none of its words, near 1
        where it has all of them, often. Words that no text has count as well: the less of the
        question is known here, the lower all scores are.
        """
        words = self._analyzer.analyze(_spelled_out(question[:QUESTION_CHARS_MAX]))[:WORDS_MAX]
        frequencies = {word: self._searcher.doc_freq("text", word) for word in words}
        telling = [word for word in frequencies if word not in _LINKING] or list(frequencies)
        full = (_K1 + 1) * sum(self._rarity(frequencies[word]) for word in telling)
        queries = [self._word(word) for word in telling if frequencies[word]]
        if not queries:
            return [], []
        queries += [
            self._pair(pair)
            for pair in dict.fromkeys(pairwise(words))
            if all(map(frequencies.get, pair)) and not _LINKING.issuperset(pair)
        ]
        query = Query.boolean_query([(Occur.Should, each) for each in queries])
        hits = self._searcher.search(query, limit, count=False).hits
        found = self._searcher.fast_field_values("position", [address for _, address in hits])
        positions = [int(position) for position in found if position is not None]
        return positions, [score / full for score, _ in hits]

    def _word(self, word: str) -> Query:
        return Query.term_query(self._schema, "text", word, "freq")

    def _pair(self, pair: tuple[str, str]) -> Query:
        """Ask for two words that follow each other, or nearly so."""
        phrase = Query.phrase_query(self._schema, "text", list(pair), slop=1)
        return Query.boost_query(phrase, PAIR_WEIGHT)

    def _rarity(self, frequency: int) -> float:
        """Return a word's inverse document frequency as BM25 has it."""
        count = self._searcher.num_docs
        return math.log(1 + (count - frequency + 0.5) / (frequency + 0.5))


def _spelled_out(text: str) -> str:
    """Add the parts of names in camel case, and pair the signs of scripts without spaces.

    The single signs stand at the end as well, each once: a word may be one sign long.
    """
    if not text.isascii():
        text = unicodedata.normalize("NFKC", text)  # wide letters, narrow Kana, parted accents
        signs = dict.fromkeys("".join(_UNSPACED.findall(text)))
        text = " ".join([_UNSPACED.sub(_paired, text), *signs])
    parts = [part for name in _CAMEL.findall(text) for part in _HUMP.findall(name)]
    return " ".join([text, *parts])


def _paired(run: re.Match[str]) -> str:
    """Return the pairs of neighbours in a run of signs; a run of one is itself.

    Tone marks and the like are left out: tantivy would end a word at them.
    """
    signs = "".join(filter(str.isalnum, run.group()))
    pairs = [signs[at : at + 2] for at in range(len(signs) - 1)]
    return f" {' '.join(pairs) or signs} "
