"""`fleet.toml`: what a wrong one is answered with."""

from __future__ import annotations

from pathlib import Path

import pytest

from cluster.kernel.errors import UsageError
from cluster.kernel.sections import EngineSettings
from cluster.settings import load
from cluster.settings.config_file import from_public_json


@pytest.mark.parametrize(
    ("text", "complaint"),
    [
        ("#" * 1_000_001, "fleet.toml is no file of settings: it has over 1000000 bytes"),
        ("x = " + "[" * 50_000, "fleet.toml is no file of settings: it is nested too deeply"),
        (
            "[modl]\n",
            "unknown key modl, did you mean model? allowed here: model, models, router, store",
        ),
        ("[python_path]\n", "unknown key python_path; allowed here: model"),
        ('[model]\nurl = "x"', "unknown key model.url, did you mean uri? allowed here: uri, base_"),
        ('[model]\napi_key = "x"', "unknown key model.api_key, did you mean api_key_path?"),
        ("[model]\nuri = 3", "model.uri must be a valid string, not 3"),
        ('[model]\ntokens_max = "9"', 'model.tokens_max must be a valid integer, not "9"'),
        ("[model]\ncalls_max = 0", "model.calls_max must be above 0, not 0"),
        ("[model]\ncalls_max = 1.5", "model.calls_max must be a valid integer, not 1.5"),
        ("[task]\ndeadline_s = 0", "task.deadline_s must be above 0, not 0"),
        ("[task]\ndeadline_s = nan", "task.deadline_s must be a finite number"),
        ("[sandbox]\nenabled = 1", "sandbox.enabled must be a valid boolean, not 1"),
        (
            '[answer]\nsupport = "x"',
            "answer.support must be 'auto', 'strict' or 'marked', not \"x\"",
        ),
        ("[answer]\nverify = true", "answer.verify must be 'off' or 'background', not true"),
        ('[answer]\nmode = "x"', "unknown key answer.mode; allowed here: support, verify"),
        ("model = 3", "model must be a section, as in [model]"),
        ("agents = 3", "agents must be"),
        ("[agents]\ncoder = 3", "agents.coder must be a section, as in [agents.coder]"),
        ("[agents.reviewer]\n", "agents.reviewer.class is missing"),
        ('[agents.reviewer]\nclass = "x"', "agents.reviewer.class must be written module:Class"),
        ('[agents.coder]\nclass_path = "x:Y"', "unknown key agents.coder.class_path, did you mean"),
        ("[agents.coder]\nreplica = 2", "unknown key agents.coder.replica, did you mean replicas?"),
        ("[agents.coder]\nreplicas = 0", "agents.coder.replicas must be above 0, not 0"),
        ('[agents."a b"]\nclass = "x:Y"', "[agents.a b] is no name of a role"),
        ("[sandbox]\nopen_files_max = 0", "sandbox.open_files_max must be above 0, not 0"),
        ('[model]\nuri = "gpt"', "model.uri: 'gpt' is no model; allowed are"),
        (
            '[modl]\n[model]\nurl = "x"\nfoo = 3\n[agents.coder]\nclass_path = "x:Y"',
            (
                "unknown keys modl (did you mean model?), agents.coder.class_path (did you mean "
                "class?), model.url (did you mean uri?), model.foo; allowed as sections: model, "
            ),
        ),
        (
            "[answer]\nmode = 1\nverify = true\n[parts]\nx = 1",
            "unknown keys answer.mode, parts.x; allowed in [answer]: support, verify, keep",
        ),
        (
            "[model.engine]\noption = {}",
            "unknown key model.engine.option, did you mean options? allowed here: options, server_",
        ),
        (
            '[models.a]\nuri = "openai:a"\nengine = { x = 1 }',
            "unknown key models.a.engine.x; allowed here: options, server_options, predicted_",
        ),
        ('[models.engine]\nurl = "x"', "unknown key models.engine.url, did you mean uri?"),
        ("[model.engine]\noptions = 3", "model.engine.options must be"),
        ("[model", "is not TOML"),
        (
            '[model]\nuri = "x"\n\nuri = "y"',
            "fleet.toml is not TOML, at uri: Cannot overwrite a value (at line 4, column 10)",
        ),
        ("agents = 1\n[agents]\n", "fleet.toml is not TOML, at agents: Cannot overwrite a value"),
        ("a = 1\r\n  'b'.\"c=d\" = no\r\n", "is not TOML, at 'b'.\"c=d\": Invalid value"),
        ("a = [\n'b=c',\n", "is not TOML: Invalid value (at end of document)"),
        ('"\x1b[1m" = no\n', "is not TOML: Illegal character '\\x1b'"),
        ("a = [\n'b=c' 3\n", "is not TOML: Unclosed array (at line 2, column 7)"),
    ],
)
def test_a_wrong_file_is_answered_with_its_name_the_key_and_what_is_allowed(
    tmp_path: Path, text: str, complaint: str
) -> None:
    path = tmp_path / "fleet.toml"
    path.write_text(text, encoding="utf-8")

    with pytest.raises(UsageError) as caught:
        load(environment={}, folder=tmp_path)

    assert str(caught.value).startswith(str(path))
    assert complaint in str(caught.value)
    assert "\n" not in str(caught.value)


def test_a_file_that_is_not_there_is_named(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match=r"other\.toml"):
        load("other.toml", environment={}, folder=tmp_path)


@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig"])
@pytest.mark.parametrize("line_end", ["\n", "\r\n"])
def test_a_file_is_read_as_editors_write_it(tmp_path: Path, encoding: str, line_end: str) -> None:
    lines = ("[model]", 'uri = "simulated:"', "")
    (tmp_path / "fleet.toml").write_bytes(line_end.join(lines).encode(encoding))

    loaded = load(environment={}, folder=tmp_path)

    assert loaded.settings.model.uri == "simulated:"


@pytest.mark.parametrize("content", ["[model]".encode("utf-16"), b"# \xe4"])
def test_a_file_in_another_encoding_is_said_to_be(tmp_path: Path, content: bytes) -> None:
    (tmp_path / "fleet.toml").write_bytes(content)

    with pytest.raises(UsageError, match=r"fleet\.toml is not UTF-8 text: save it as that"):
        load(environment={}, folder=tmp_path)


def test_a_role_of_the_file_is_laid_over_the_default_one(tmp_path: Path) -> None:
    (tmp_path / "fleet.toml").write_text("[agents.coder]\nreplicas = 3", encoding="utf-8")

    coder = load(environment={}, folder=tmp_path).settings.agents["coder"]

    assert (coder.replicas, coder.class_path) == (3, "agents.coder:Coder")


def test_what_is_passed_on_to_a_server_is_read_as_it_stands(tmp_path: Path) -> None:
    (tmp_path / "fleet.toml").write_text(
        "[model.engine]\n"
        "options = { top_p = 0.9, stop = ['x'], chat_template_kwargs = { thinking = false } }\n"
        "server_options = { speculative.ngram_simple.size_n = 8 }\n",
        encoding="utf-8",
    )

    settings = load(environment={}, folder=tmp_path).settings

    assert settings.model.engine == EngineSettings(
        {"top_p": 0.9, "stop": ["x"], "chat_template_kwargs": {"thinking": False}},
        {"speculative": {"ngram_simple": {"size_n": 8}}},
    )
    assert from_public_json(settings.public_json()) == settings
