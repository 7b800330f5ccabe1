"""What a question is about, and what a text says of its own sources: that they are silent.

Pure heuristics in one place; their precision and recall are in `docs/answers.md`.
"""

from __future__ import annotations

import re

from agents.evidence.languages import language_of
from agents.evidence.words import words

_SOURCE_WORDS = re.compile(
    r"\b(?:documents?|documentation|passages?|sources?|excerpts?|"
    r"(?:provided|given) (?:text|context|information|material)|texto proporcionado|texte fourni|"
    r"dokument\w*|unterlagen|passagen?|quellen?|textstellen?|documentos?|documentación|pasajes?|fuentes?|extraits?|fonti|documenti|fontes|bronnen)\b"
    r"(?!\s(?:that|which|without|ohne|sin|sans)\b)"
    r"|文档|文件|资料|段落|来源|原文|文書|資料|ドキュメント|出典|本文",
    re.IGNORECASE,
)
_SILENCE = re.compile(
    r"\b(?:not?|n[o']t|nothing|none|never|nowhere|silent|unclear|nicht|nichts|kein\w*|no|nada|"
    r"ningun\w*|ne|pas|rien|aucun\w*|non|nessun\w*|não|nenhum\w*|geen|niet)\b|n['’]t\b"  # noqa: RUF001
    r"|没有|未|不|無|ない|ません|なかった",
    re.IGNORECASE,
)
_SAYING = re.compile(
    r"\b(?:say|says|said|mention\w*|state\w*|contain\w*|answer\w*|describe\w*|specif\w+|include\w*|"
    r"provide\w*|cover\w*|address\w*|give|gives|tell|tells|explain\w*|discuss\w*|detail\w*|find|"
    r"found in|hervor|erwähn\w*|nenn\w*|enthalt\w*|enthält|beschr(?:ei|ie)b\w*|sag\w*|steht|"
    r"auskunft|beantwort\w*|angegeben|menciona\w*|dice\w*|contiene\w*|indica\w*|describe\w*|responde\w*|especifica\w*|explica\w*|"
    r"mentionn\w*|contien\w*|indiqu\w*|précis\w*|dit|disent|décri\w*|répond\w*|"
    r"silent|schweigen|information|angaben|información|informations?)\b"
    r"|提到|提及|说明|包含|记载|回答|涉及|信息|介绍|找不到|分か|記載|言及|述べ|説明|情報|書かれ|含まれ",
    re.IGNORECASE,
)
_CONTRAST = re.compile(
    r"[;；]|\b(?:but|however|though|aber|jedoch|doch|pero|mais|mas|maar)\b|但|しかし|ただし",  # noqa: RUF001
    re.IGNORECASE,
)
"""Behind it a sentence may go on to say something itself, which then needs backing."""
NOT_FOUND = "NOT FOUND"
_MARKS = re.compile(r"^[\s*_`\"'#>-]*NOT[ _]FOUND\b", re.IGNORECASE)


def is_denial(sentence: str) -> bool:
    """Say whether a sentence says that the documents are silent on something."""
    if _MARKS.match(sentence):
        return True
    is_silent = all(each.search(sentence) for each in (_SOURCE_WORDS, _SILENCE, _SAYING))
    rest = _CONTRAST.split(sentence)[-1]
    goes_on = any(character.isalnum() for character in rest) and not _SILENCE.search(rest)
    return is_silent and not goes_on


def topic_of(text: str) -> frozenset[str]:
    """Return the keys of the words with content in a text."""
    return frozenset(w.key for w in words(text, language_of(text)) if w.has_content and not w.guard)
