"""Elements of XML are rows: values against the attributes and elements that are named for them."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from agents.evidence.backing import PassageJudge, place_of
from agents.evidence.data.rows import rows_of
from agents.evidence.features import Sources
from cluster.kernel.vocabulary import Passage, Support

ORDERS = """<shop>
<order number="1007" status="shipped"><customer>Nadia Rahman</customer>
<total unit="EUR">84.30</total><items>3</items><carrier>DHL</carrier></order>

<order number="1009" status="cancelled"><customer>Sara Lind</customer>
<total unit="SEK">540</total><items>6</items><carrier>PostNord</carrier></order>
</shop>"""
SUITE = """<testsuite name="payments" tests="42" failures="2" time="17.8">
  <testcase name="refunds_twice" time="0.41"/>
  <testcase name="refunds_late" time="2.05"><failure type="AssertionError" code="7"/></testcase>
</testsuite>"""
POOLS = """<pools>
 <pool name="main">
  <property name="timeout">30</property><property name="retries">5</property>
 </pool>
 <pool name="spare">
  <property name="timeout">60</property><property name="retries">2</property>
 </pool>
</pools>"""
TRACKS = """<playlist owner="Mira" public="false">
  <track><title>Blue Hour</title><artist>Ilse Kan</artist><length unit="s">214</length></track>
  <track><title>Red Clay</title><artist>Omar Diaz</artist><length unit="s">187</length></track>
</playlist>"""
NEWS = """<rss version="2.0"><channel>
  <title>Harbour News</title>
  <item>
    <title>New crane</title>
    <author>Lena Brandt</author>
    <text>The port authority has bought a crane that lifts 120 tons, the third in two years.</text>
  </item>
  <item>
    <title>Ferry closes</title>
    <author>Hugo Marin</author>
  </item>
</channel></rss>"""
DAYS = """<days town="Bergen">
  <day date="2026-06-01"><high unit="C">17</high><low unit="C">9</low><wind>west</wind></day>
  <day date="2026-06-02"><high unit="C">21</high><low unit="C">11</low><wind>south</wind></day>
</days>"""
QUEUES = """<queues>
  <queue name="mail" max="5000"><consumer tag="m1" prefetch="20"/><consumer tag="m2"/></queue>
</queues>"""
PART = """    <port>8081</port>
    <owner>Grace</owner>
  </server>
  <server>
    <name>gamma</name>
    <port>8082</port>
    <owner>Heidi</owner>
  </server>
  <server>
    <name>delta</name>
    <port>8083</port>"""
BUILD = """The build is described in `pom.xml`, which every module inherits.

```xml
<plugin>
    <artifactId>surefire</artifactId>
    <version>3.2.5</version>
    <configuration
        forkCount="2"
        reuseForks="true"/>
</plugin>
```

Tests are run twice a day on the build server in Graz."""


def is_backed(sentence: str, text: str) -> bool:
    passage = Passage("a.xml", 1, text.count("\n") + 1, text)
    sources = Sources([(text, place_of(passage))])
    judge = PassageJudge([passage], "", sources, is_strict=False)
    return judge.sentence(sentence, [1]).support in (Support.QUOTED, Support.PARAPHRASED)


@pytest.mark.parametrize(
    ("text", "sentence"),
    [
        (ORDERS, "The status of order 1007 is shipped."),
        (ORDERS, "Order 1007 has 3 items and a total of 84.30 EUR."),
        (ORDERS, "The customer of order 1009 is Sara Lind and of order 1007 Nadia Rahman."),
        (SUITE, "The testsuite payments has 42 tests and 2 failures."),
        (SUITE, "refunds_late had a failure of the type AssertionError."),
        (SUITE, "refunds_twice of payments has a time of 0.41."),
        (POOLS, "The main pool has a timeout of 30."),
        (TRACKS, "Blue Hour by Ilse Kan has a length of 214 s."),
        (TRACKS, "The playlist is not public."),
        (NEWS, "The author of New crane is Lena Brandt."),
        (NEWS, "The title of the channel is Harbour News."),
        (NEWS, "The port authority has bought a crane that lifts 120 tons."),
        (DAYS, "On 2026-06-02 the high is 21 C and the low is 11 C."),
        (DAYS, "The wind is west on 2026-06-01 and south on 2026-06-02."),
        (QUEUES, "The consumer m1 has a prefetch of 20."),
        (PART, "The server gamma has port 8082, and delta has port 8083."),
        (BUILD, "The fork count of surefire is 2."),
        (BUILD, "Tests are run twice a day on the build server in Graz."),
    ],
)
def test_an_element_says_what_its_attributes_and_parts_say(text: str, sentence: str) -> None:
    assert is_backed(sentence, text)


@pytest.mark.parametrize(
    ("text", "sentence"),
    [
        (ORDERS, "The status of order 1009 is shipped."),
        (ORDERS, "Order 1009 costs 6."),
        (ORDERS, "Order 1007 has 84 items."),
        (ORDERS, "Order 1007 has a total of 84.30 SEK."),
        (ORDERS, "The customer of order 1007 is Nadia Lind."),
        (ORDERS, "Nadia Rahman is the carrier of order 1007."),
        (ORDERS, "Order 1007 was not shipped."),
        (ORDERS, "Order 3 has the carrier DHL."),
        (SUITE, "The testcase refunds_twice had a time of 17.8."),
        (SUITE, "refunds_twice had 2 failures."),
        (SUITE, "refunds_late has 42 tests."),
        (SUITE, "refunds_twice failed with code 7."),
        (POOLS, "The main pool has a timeout of 60."),
        (POOLS, "The timeout of the main pool is 5."),
        (TRACKS, "The artist of Blue Hour is Omar Diaz."),
        (TRACKS, "Blue Hour has a length of 214 minutes."),
        (TRACKS, "The playlist of Mira is public."),
        (TRACKS, "Mira is the artist of Blue Hour."),
        (NEWS, "The author of New crane is Hugo Marin."),
        (NEWS, "The title of the channel is Ferry closes."),
        (NEWS, "The port authority has bought a crane that lifts 150 tons."),
        (DAYS, "On 2026-06-02 the high is 11 C and the low is 21 C."),
        (DAYS, "The high is 17 C on 2026-06-01 and 11 C on 2026-06-02."),
        (QUEUES, "The queue mail has 20 consumers."),
        (PART, "The owner of gamma is Grace."),
        (PART, "The server delta has the owner Heidi."),
        (BUILD, "The fork count of surefire is 3.2.5."),
        (BUILD, "The plugin surefire does not reuse forks."),
        (BUILD, "Tests are run three times a day on the build server in Graz."),
    ],
)
def test_an_element_does_not_say_what_another_one_says(text: str, sentence: str) -> None:
    assert not is_backed(sentence, text)


def test_an_element_that_is_there_once_is_a_part_of_the_row_around_it() -> None:
    found = rows_of('<a id="1">\n<b>2</b>\n<c>\n<d>3</d>\n</c>\n</a>', [], "en")

    assert [[word.raw for cell in row.cells for word in cell.words] for row in found] == [
        ["1", "2", "3"]
    ]


def test_what_arranges_a_page_is_no_row() -> None:
    assert rows_of('<table id="1">\n<tr><td>2</td></tr>\n</table>', [], "en") == []


def test_the_names_around_a_value_are_bounded() -> None:
    text = "<top>\n" + "".join(f"<e{at} v='{at}'>" for at in range(400))
    found = rows_of(text, [], "en")

    assert sum(len(row.cells) for row in found) == 400
    assert max(len(cell.names) for row in found for cell in row.cells) < 100


@settings(deadline=None, max_examples=200)
@given(
    st.lists(st.sampled_from(["<a b='1'>", "</a>", "<c/>", "</c>", "<c>", "x", "<", "\n", "<!--"]))
)
def test_any_markup_is_read_for_rows(parts: list[str]) -> None:
    text = "<a>\n" + "".join(parts)

    assert all(0 <= cell.start < len(text) for row in rows_of(text, [], "en") for cell in row.cells)
