"""Where settings come from: precedence, the default model, what a wrong value is answered with."""

from __future__ import annotations

import stat
from pathlib import Path

import pytest

from cluster.kernel.errors import UsageError
from cluster.settings import Flag, Secrets, load
from cluster.settings.config_file import from_public_json

SHARE = "OTEL_TRACES_SAMPLER_ARG"

BAD_HOSTS = (
    'webhook_hosts = ["127.0.0.1:18160"]',
    'webhook_hosts = ["http://hooks.example.org"]',
    'origins = ["localhost:8080"]',
    'origins = ["https://chat.example.org/"]',
)


def config(folder: Path, text: str) -> Path:
    path = folder / "fleet.toml"
    path.write_text(text, encoding="utf-8")
    return path


def test_defaults_are_three_agents_and_the_embedded_model(tmp_path: Path) -> None:
    loaded = load(environment={}, folder=tmp_path)

    assert loaded.settings.model.uri == "llama:smollm2-135m"
    assert list(loaded.settings.agents) == ["manager", "researcher", "coder"]
    assert loaded.settings.task.deadline_s == 300.0
    assert loaded.settings.network.host == "127.0.0.1"
    assert loaded.given == frozenset()


@pytest.mark.parametrize("name", ["OPENAI_BASE_URL", "OPENAI_API_KEY"])
def test_the_default_model_is_openai_where_its_variables_are_set(tmp_path: Path, name: str) -> None:
    loaded = load(environment={name: "http://127.0.0.1:1/v1"}, folder=tmp_path)

    assert loaded.settings.model.uri == "openai:"


def test_a_flag_goes_before_the_environment_and_that_before_the_file(tmp_path: Path) -> None:
    text = "[model]\nuri = 'simulated:?ttft_s=1'\ntokens_max = 7\n[ray]\naddress = 'file'"
    config(tmp_path, text)
    environment = {"FLEETMIND_MODEL": "simulated:?ttft_s=2", "RAY_ADDRESS": "env"}

    loaded = load(
        None,
        [Flag("model.uri", "simulated:?ttft_s=3", "--model")],
        environment=environment,
        folder=tmp_path,
    )

    assert loaded.settings.model.uri == "simulated:?ttft_s=3"
    assert loaded.settings.ray.address == "env"
    assert loaded.settings.model.tokens_max == 7
    assert loaded.given == {"model.uri", "ray.address", "model.tokens_max"}


def test_a_support_is_auto_unless_the_file_says_otherwise(tmp_path: Path) -> None:
    assert load(environment={}, folder=tmp_path).settings.answer.support == "auto"
    config(tmp_path, "[answer]\nsupport = 'strict'\nverify = 'background'")

    settings = load(environment={}, folder=tmp_path).settings

    assert (settings.answer.support, settings.answer.verify) == ("strict", "background")
    assert from_public_json(settings.public_json()) == settings


def test_our_own_redis_variable_goes_before_the_general_one(tmp_path: Path) -> None:
    environment = {"REDIS_URL": "redis://general:1/0", "FLEETMIND_REDIS_URL": "redis://ours:2/0"}

    assert load(environment=environment, folder=tmp_path).secrets.redis_url == "redis://ours:2/0"


def test_an_empty_variable_counts_as_unset(tmp_path: Path) -> None:
    environment = {"FLEETMIND_MODEL": "", "FLEETMIND_REDIS_URL": "", "REDIS_URL": "redis://a:1"}

    loaded = load(environment=environment, folder=tmp_path)

    assert loaded.settings.model.uri == "llama:smollm2-135m"
    assert loaded.secrets.redis_url == "redis://a:1"


def test_secrets_are_not_in_what_is_handed_on(tmp_path: Path) -> None:
    environment = {
        "OPENAI_API_KEY": "sk-hidden",
        "REDIS_URL": "redis://me:hidden@h:6379/2?password=hidden",
        "OTEL_EXPORTER_OTLP_HEADERS": "authorization=hidden",
        "OTEL_SERVICE_NAME": "fleet",
    }

    loaded = load(environment=environment, folder=tmp_path)

    assert "hidden" not in loaded.settings.public_json()
    assert "hidden" not in repr(loaded)
    assert loaded.settings.store.redis == "redis://h:6379/2"
    assert loaded.settings.telemetry == {"OTEL_SERVICE_NAME": "fleet"}
    assert loaded.secrets.api_key == "sk-hidden"


def test_the_key_is_read_from_the_file_that_the_config_names(tmp_path: Path) -> None:
    (tmp_path / "key").write_text("sk-file\n", encoding="utf-8")
    config(tmp_path, '[model]\napi_key_path = "key"')

    from_file = load(environment={}, folder=tmp_path)
    from_environment = load(environment={"OPENAI_API_KEY": "sk-env"}, folder=tmp_path)

    assert from_file.secrets.api_key == "sk-file"
    assert from_file.settings.model.uri == "openai:"
    assert from_environment.secrets.api_key == "sk-env"


@pytest.mark.parametrize("end", ["\n", "\r\n", " ", "\n\n"])
def test_the_end_of_the_line_is_no_part_of_a_key_or_a_url(tmp_path: Path, end: str) -> None:
    (tmp_path / "key").write_bytes(b"\xef\xbb\xbfsk-file" + end.encode())
    config(tmp_path, '[model]\napi_key_path = "key"')
    variables = {"OPENAI_API_KEY": f"sk-env{end}", "OPENAI_BASE_URL": f" http://h:1/v1{end}"}

    from_environment = load(environment=variables, folder=tmp_path)
    from_file = load(environment={"OPENAI_API_KEY": end}, folder=tmp_path)

    assert from_environment.secrets.api_key == "sk-env"
    assert from_environment.settings.model.base_url == "http://h:1/v1"
    assert from_file.secrets.api_key == "sk-file"


def test_a_key_file_that_is_missing_is_named(tmp_path: Path) -> None:
    config(tmp_path, '[model]\napi_key_path = "nowhere"')

    with pytest.raises(UsageError, match=r"model.api_key_path: .*nowhere can't be read"):
        load(environment={}, folder=tmp_path)


def test_agents_beside_the_config_and_in_the_folder_can_be_imported(tmp_path: Path) -> None:
    (tmp_path / "elsewhere").mkdir()
    path = config(tmp_path / "elsewhere", '[agents.reviewer]\nclass = "mine:Reviewer"')

    loaded = load(path, environment={}, folder=tmp_path)

    assert loaded.settings.python_path == (str(tmp_path / "elsewhere"), str(tmp_path))
    assert loaded.settings.agents["reviewer"].class_path == "mine:Reviewer"
    assert "coder" in loaded.settings.agents


@pytest.mark.parametrize(
    ("variable", "value", "complaint"),
    [
        ("FLEETMIND_MODEL", "gpt-4", "FLEETMIND_MODEL: 'gpt-4' is no model; allowed are openai:"),
        ("FLEETMIND_MODEL", "llm:x", "is no model"),
        ("OPENAI_BASE_URL", "localhost:8000", "OPENAI_BASE_URL: 'localhost:8000' is no URL"),
        ("OPENAI_BASE_URL", "host/v1?key=s3cret", "OPENAI_BASE_URL: 'host/v1' is no URL"),
        ("OPENAI_BASE_URL", "http://me:pw@host/v1", "OPENAI_BASE_URL: a URL with a password"),
        ("REDIS_URL", "http://h:1", "REDIS_URL: not a Redis URL; allowed are redis://"),
        ("REDIS_URL", "redis://:secret@h:notaport/0", "REDIS_URL: not a Redis URL"),
        ("OTEL_TRACES_SAMPLER_ARG", "all", "OTEL_TRACES_SAMPLER_ARG: 'all' is no share from 0"),
        ("OTEL_TRACES_SAMPLER_ARG", "1.5", "OTEL_TRACES_SAMPLER_ARG: '1.5' is no share from 0"),
    ],
)
def test_a_wrong_variable_is_named_with_what_is_allowed(
    tmp_path: Path, variable: str, value: str, complaint: str
) -> None:
    with pytest.raises(UsageError) as caught:
        load(environment={variable: value}, folder=tmp_path)

    assert str(caught.value).startswith(complaint) or complaint in str(caught.value)
    assert "secret" not in str(caught.value)


@pytest.mark.parametrize(("given", "share"), [({}, 0.01), ({SHARE: "1"}, 1.0), ({SHARE: "0"}, 0.0)])
def test_the_share_of_tasks_with_spans_can_be_set(
    tmp_path: Path, given: dict[str, str], share: float
) -> None:
    assert load(environment=given, folder=tmp_path).settings.sampled_share == share


@pytest.mark.parametrize("seconds", [0.0, -1.0, float("nan"), float("inf")])
def test_a_deadline_must_be_a_number_of_seconds(tmp_path: Path, seconds: float) -> None:
    with pytest.raises(UsageError, match=r"--deadline: .* is no number of seconds above 0"):
        load(
            None,
            [Flag("task.deadline_s", seconds, "--deadline")],
            environment={},
            folder=tmp_path,
        )


def test_settings_survive_the_way_to_another_process(tmp_path: Path) -> None:
    settings = load(environment={"OTEL_SERVICE_NAME": "x"}, folder=tmp_path).settings

    assert from_public_json(settings.public_json()) == settings


def test_secrets_are_written_for_this_user_only_and_read_back(tmp_path: Path) -> None:
    headers = {"": {"api-key": "h"}, "small": {}}
    secrets = Secrets(token="t", redis_url="redis://h", api_key="k", headers=headers)
    path = tmp_path / "secrets"
    path.write_text("older", encoding="utf-8")

    secrets.write_secrets(path)

    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert Secrets.read_secrets(path) == secrets
    assert [entry.name for entry in tmp_path.iterdir()] == ["secrets"]


def test_secrets_that_others_may_read_are_refused(tmp_path: Path) -> None:
    path = tmp_path / "secrets"
    Secrets(token="t").write_secrets(path)
    path.chmod(0o644)

    with pytest.raises(UsageError, match="may be read by others; run `chmod 600"):
        Secrets.read_secrets(path)


@pytest.mark.parametrize(
    "text", ["", "[]", '{"token": 3}', '{"headers": []}', '{"headers": {"": {"a": 3}}}']
)
def test_a_file_that_holds_no_secrets_is_refused(tmp_path: Path, text: str) -> None:
    path = tmp_path / "secrets"
    path.touch(0o600)
    path.write_text(text, encoding="utf-8")

    with pytest.raises(UsageError, match="secrets"):
        Secrets.read_secrets(path)


@pytest.mark.parametrize(
    ("uri", "resolved"),
    [
        ("llama:models/x.gguf", "llama:{folder}/models/x.gguf"),
        ("llama:smollm2-135m", "llama:smollm2-135m"),
        ("llama:", "llama:smollm2-135m"),
        ("simulated:script.json?ttft_s=1", "simulated:{folder}/script.json?ttft_s=1"),
        ("simulated:?ttft_s=1", "simulated:?ttft_s=1"),
        ("openai:org/model.gguf", "openai:org/model.gguf"),
    ],
)
def test_a_file_that_a_model_names_is_found_from_any_folder(
    tmp_path: Path, uri: str, resolved: str
) -> None:
    loaded = load(environment={"FLEETMIND_MODEL": uri}, folder=tmp_path)

    assert loaded.settings.model.uri == resolved.format(folder=tmp_path)


def test_a_working_folder_that_is_gone_is_wrong_usage(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    gone = tmp_path / "gone"
    gone.mkdir()
    monkeypatch.chdir(gone)
    gone.rmdir()

    with pytest.raises(UsageError, match="the working directory is gone"):
        load(environment={})


def test_a_settings_file_that_cannot_be_looked_for_is_wrong_usage(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match=r"fleet\.toml can't be read: File name too long"):
        load(environment={}, folder=tmp_path / ("n" * 300))


def test_the_environment_of_programs_is_found_beside_the_config(tmp_path: Path) -> None:
    (tmp_path / "fleet.toml").write_text('[sandbox]\npython = ".venv"', encoding="utf-8")

    resolved = load(environment={}, folder=tmp_path)

    assert resolved.settings.sandbox.python == str(tmp_path / ".venv")


def test_files_for_tls_are_found_from_where_they_are_named(tmp_path: Path) -> None:
    folder = tmp_path / "settings"
    folder.mkdir()
    path = config(folder, "[serve]\ntls_cert = 'cert.pem'\n")

    flags = [Flag("serve.tls_key", "key.pem", "--tls-key")]
    own = load(path, flags, environment={}, folder=tmp_path).settings.serve

    assert own.tls_cert == str(folder / "cert.pem")
    assert own.tls_key == str(tmp_path / "key.pem")


@pytest.mark.parametrize("line", BAD_HOSTS)
def test_a_host_or_an_origin_that_nothing_could_match_is_refused(tmp_path: Path, line: str) -> None:
    path = tmp_path / "fleet.toml"
    path.write_text(f"[serve]\n{line}\n", encoding="utf-8")

    with pytest.raises(UsageError, match=r"is no (host|origin)"):
        load(path, [], environment={}, folder=tmp_path)


def test_hosts_and_origins_are_taken_as_they_are_called(tmp_path: Path) -> None:
    path = tmp_path / "fleet.toml"
    path.write_text(
        '[serve]\norigins = ["https://chat.example.org", "http://localhost:8080", "*"]\n'
        'webhook_hosts = ["hooks.example.org", "127.0.0.1", "::1"]\n',
        encoding="utf-8",
    )

    own = load(path, [], environment={}, folder=tmp_path).settings.serve

    assert own.webhook_hosts == ("hooks.example.org", "127.0.0.1", "::1")


@pytest.mark.parametrize(("key", "value"), [("serve.port", 70_000), ("serve.replicas", 0)])
def test_a_number_that_the_ingress_can_t_have_is_refused(
    tmp_path: Path, key: str, value: int
) -> None:
    with pytest.raises(UsageError, match="--flag"):
        load(None, [Flag(key, value, "--flag")], environment={}, folder=tmp_path)
