"""Little words: those that say nothing by themselves, and those that turn a sentence's truth.

Plain data for `agents.evidence.words`; no other module looks words up. What precision and recall
the guards have is in `docs/answers.md`.
"""

from __future__ import annotations

from types import MappingProxyType
from typing import Final

GLUE: Final = MappingProxyType(
    {
        language: frozenset(text.split())
        for language, text in {
            "en": "a an the this that these those of in on at to for from by with as is are be am "
            "been being it its and which who whom whose do does done so such than then there here "
            "into onto also too very you your we our they their he his she her i my us them itself "
            "very thus therefore hence but or however just simply out about "
            "via per s both how what where why while can would",
            "de": "der die das den dem des ein eine einen einem einer eines und oder ist sind war "
            "waren wird werden in im an am auf aus bei mit nach von vom zu zum zur für als wie es "
            "sie er wir ihr ihre ihren man sich dass daß so auch da dann dort hier durch über um "
            "diese dieser dieses diesem diesen was wo wenn sein haben hat noch aber jedoch zwar "
            "ihnen sowie bzw etwa dabei damit dazu daher",
            "es": "el la los las un una unos unas y o de del en a al con por para que es son fue "
            "se su sus lo le les este esta estos estas ese esa como más pero también ser está "
            "están ha han hay cuando si donde qué cuál así entonces",
            "fr": "le la les un une des et ou de du en à au aux avec par pour que qui est sont se "
            "son sa ses ce cette ces il elle ils elles on comme mais aussi être dans sur y ne",
            "it": "il lo la i gli le un uno una e o di del della dei delle in a al alla con per "
            "che è sono si suo sua come ma anche nel nella da dal",
            "pt": "o a os as um uma e ou de do da dos das em no na nos nas com por para que é são "
            "se seu sua como mas também ao à pelo pela",
            "nl": "de het een en of van in op te voor met is zijn was wordt worden dat die dit "
            "deze er ook als aan bij naar om uit door maar",
            "sv": "en ett den det och eller av i på till för med är var som att de har om från men "
            "också",
            "zh": "的 了 是 在 和 与 及 也 就 都 而 着 把 被 将 由 对 从 到 于 以 之 其 这 那 它 "
            "们 会 能 可 一 个",
            "ja": "",
            "ru": "и в на с по к у о из за от до для как что это не то же",  # noqa: RUF001
        }.items()
    }
)
"""By language: articles, prepositions, pronouns, to be: a sentence may gain or lose them."""

_PRONOUNS = "it they this these those he she its es sie er dies ello esto ils elle"
PRONOUNS: Final = frozenset(_PRONOUNS.split())

_CONJUNCTIONS = (
    "and but while whereas so because which who und aber sondern während y pero mientras que et "
    "mais car e ma"
)
CONJUNCTIONS: Final = frozenset(_CONJUNCTIONS.split())
"""Behind them a clause may begin."""

_GUARDS: Final = {
    "en": "not: not no none nobody nothing neither nor cannot never without hardly barely unable "
    "nowhere lacks lack lacking; only: only solely exclusively merely alone; unless: unless "
    "except excluding; all: all every each always everything everyone entire whole both; "
    "most: most mostly usually typically generally often commonly mainly; few: few rarely "
    "seldom some; must: must required requires require shall; may: may might could possibly "
    "perhaps maybe; should: should ought; will: will; more: more greater larger bigger "
    "higher longer faster; less: less fewer smaller lower shorter slower; before: before "
    "prior; after: after; above: above over exceeding; below: below under beneath; past: "
    "was were had did; former: formerly previously originally; about: approximately roughly "
    "nearly almost; least: least minimum; at-most: maximum up; if: if whether",
    "de": "not: nicht kein keine keinen keinem keiner keines nie niemals ohne nichts weder "
    "niemand; only: nur lediglich ausschließlich allein bloß; unless: außer; all: alle "
    "allen aller alles jede jeder jedes jeden immer stets; most: meist meistens gewöhnlich "
    "oft häufig; few: wenige selten; must: muss müssen musst müsste; may: könnte könnten "
    "vielleicht eventuell; should: sollte sollten soll; more: mehr größer höher länger "
    "schneller; less: weniger kleiner niedriger kürzer langsamer; before: bevor vorher; "
    "after: nachdem nachher; past: war waren hatte hatten wurde wurden; former: früher "
    "ehemals; least: mindestens minimal; at-most: höchstens maximal; if: falls sofern ob",
    "es": "not: no ningún ninguna ninguno nunca jamás sin nada nadie tampoco ni; only: solo "
    "solamente únicamente sólo; unless: excepto salvo; all: todo todos toda todas cada "
    "siempre; most: normalmente generalmente; few: pocos pocas raramente; must: debe deben; "
    "may: podría podrían quizás; should: debería deberían; more: mayor; less: menos menor; "
    "before: antes; after: después; past: fue fueron era eran había; least: mínimo; "
    "at-most: máximo",
    "fr": "not: ne pas jamais sans aucun aucune rien non ni; only: seulement uniquement seul; "
    "all: tout tous toute toutes chaque toujours; must: doit doivent; should: devrait "
    "devraient; more: plus supérieur; less: moins inférieur; before: avant; after: après; "
    "past: était étaient avait",
    "it": "not: non mai senza nessuno nessuna né; only: solo soltanto; all: tutti tutte",
    "pt": "not: não nunca nem sem nenhum; only: apenas somente; all: todos todas",
    "nl": "not: niet geen nooit zonder; only: alleen slechts; all: alle altijd",
    "sv": "not: inte ingen aldrig utan; only: bara endast; all: alla alltid",
    "ru": "not: не нет никогда без ни; only: только; all: все всегда",
    "zh": "not: 不 没 没有 無 非 未 无 别 勿; only: 只 只有 仅 仅仅; all: 都 "
    "每 所 全; must: 必; more: 多 大; less: 少 小; before: 前; "
    "after: 后",
    "ja": "not: ない ません なかった なく ずに ませんでした なければ 不 未 無 非; "
    "only: のみ だけ; all: 全 毎; more: 多 大; less: 少 小; "
    "before: 前; after: 後",
}
GUARDS: Final = MappingProxyType(
    {
        language: {
            word: name.strip()
            for name, _, found in (each.partition(":") for each in text.split(";"))
            for word in found.split()
        }
        for language, text in _GUARDS.items()
    }
)
"""By language: words that change how much, when or whether; claim and source must agree on them."""

NUMBERS: Final = MappingProxyType(
    {
        word: str(number)
        for text in (
            "zero one two three four five six seven eight nine ten eleven twelve",
            "null eins zwei drei vier fünf sechs sieben acht neun zehn elf zwölf",
            "cero uno dos tres cuatro cinco seis siete ocho nueve diez once doce",
            "zéro _ deux trois quatre cinq six sept huit neuf dix onze douze",
            "〇 一 二 三 四 五 六 七 八 九 十",  # noqa: RUF001
        )
        for number, word in enumerate(text.split())
    }
)

UNITS: Final = MappingProxyType(
    {
        short: name
        for name, text in {
            "metre": "m meter meters metres",
            "kilometre": "km kilometer kilometers kilometres",
            "second": "s sec secs seconds",
            "millisecond": "ms msec milliseconds",
            "minute": "min mins minutes",
            "hour": "h hr hrs hours",
            "byte": "b bytes",
            "kilobyte": "kb kib kilobytes",
            "megabyte": "mb mib megabytes",
            "gigabyte": "gb gib gigabytes",
            "percent": "% percentage pct prozent",
        }.items()
        for short in text.split()
    }
)
"""Units as they are written behind a number, each by one name."""
