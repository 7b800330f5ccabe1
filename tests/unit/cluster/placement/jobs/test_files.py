"""What a job is given: its files, its command line, and no secrets."""

from __future__ import annotations

import os
import shlex
from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path

import pytest

from cluster.kernel.errors import UsageError
from cluster.memory.knowledge.omissions import Omissions
from cluster.memory.knowledge.reading import read_bytes
from cluster.memory.knowledge.sources import SourceFile, find_files
from cluster.placement.jobs.files import JobRequest, JobSpec, prepare
from cluster.settings import AgentSettings, load


@pytest.fixture
def here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    folder = tmp_path / "here"
    folder.mkdir()
    monkeypatch.chdir(folder)
    return folder


@pytest.fixture
def staged(tmp_path: Path) -> Path:
    folder = tmp_path / "staged"
    folder.mkdir()
    return folder


def request(environment: Mapping[str, str] | None = None, goal: str = "why?") -> JobRequest:
    return JobRequest(goal, load(environment=environment or {}))


def words(job: JobSpec) -> list[str]:
    return shlex.split(job.entrypoint)


def test_the_goal_is_quoted_as_it_is(here: Path, staged: Path) -> None:
    goal = '-- what\'s `x`; rm *\n$HOME "?"'

    job = prepare(request(goal=goal), staged, "python")

    assert job.entrypoint.startswith("cd _files && exec python -P -m cluster run --framed ")
    assert words(job)[-2:] == ["--", goal]


def test_a_long_goal_goes_into_a_file(here: Path, staged: Path) -> None:
    job = prepare(request(goal="long " * 10_000), staged, "python")

    assert words(job)[-4:] == ["--", "-", "<", "goal.txt"]
    assert (staged / "_files" / "goal.txt").read_text() == "long " * 10_000


def test_a_workflow_goes_along_as_a_file(here: Path, staged: Path) -> None:
    job = prepare(replace(request(), workflow="steps = []\n"), staged, "python")

    at = words(job).index("--workflow")
    assert (staged / "_files" / words(job)[at + 1]).read_text() == "steps = []\n"


def test_relative_knowledge_keeps_its_name_and_so_do_its_citations(
    here: Path, staged: Path
) -> None:
    (here / "docs" / "deep").mkdir(parents=True)
    (here / "docs" / "deep" / "a.md").write_text("# A\n\ntext\n")
    (here / "docs" / "picture.png").write_bytes(b"\x89PNG")

    job = prepare(replace(request(), knowledge=("docs/",)), staged, "python")

    assert words(job)[words(job).index("--knowledge") + 1] == "docs"
    assert [path.name for path in staged.rglob("*.*")] == ["a.md"]
    assert (staged / "_files" / "docs" / "deep" / "a.md").read_text() == "# A\n\ntext\n"


def test_knowledge_from_elsewhere_is_sent_too(here: Path, staged: Path, tmp_path: Path) -> None:
    (tmp_path / "a.md").write_text("one")
    (here / "b.md").write_text("two")
    named = ("../a.md", str(here / "b.md"))

    job = prepare(replace(request(), knowledge=named), staged, "python")

    assert (staged / "_files" / "_knowledge" / "0" / "a.md").read_text() == "one"
    assert (staged / "_files" / "_knowledge" / "1" / "b.md").read_text() == "two"
    assert "_knowledge/1/b.md" in words(job)


def test_links_within_a_folder_are_sent_as_what_they_lead_to(here: Path, staged: Path) -> None:
    (here / "docs" / "..data").mkdir(parents=True)
    (here / "docs" / "..data" / "a.md").write_text("A")
    (here / "docs" / "a.md").symlink_to("..data/a.md")

    prepare(replace(request(), knowledge=("docs",)), staged, "python")

    sent = staged / "_files" / "docs" / "a.md"
    assert (sent.read_text(), sent.is_symlink()) == ("A", False)


def test_what_comes_from_a_pipe_is_sent_as_a_file(here: Path, staged: Path) -> None:
    read_end, write_end = os.pipe()
    os.write(write_end, b"from a pipe")
    os.close(write_end)

    job = prepare(replace(request(), knowledge=(f"/dev/fd/{read_end}",)), staged, "python")
    os.close(read_end)

    at = words(job).index("--knowledge")
    assert (staged / "_files" / words(job)[at + 1]).read_text() == "from a pipe"
    assert job.as_named(words(job)[at + 1]) == f"/dev/fd/{read_end}"


def test_a_file_of_a_folder_that_can_not_be_sent_is_left_out(
    here: Path, staged: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (here / "docs").mkdir()
    for name in ("a.md", "b.md"):
        (here / "docs" / name).write_text(name)
    really = read_bytes

    def read(path: Path) -> bytes:
        if path.name == "a.md":
            raise PermissionError(13, "Permission denied")
        return really(path)

    monkeypatch.setattr(f"{prepare.__module__}.read_bytes", read)

    job = prepare(replace(request(), knowledge=("docs",)), staged, "python")

    assert job.notes == ("Left out: 1 unreadable file (docs/a.md)",)
    assert (staged / "_files" / "docs" / "b.md").exists()

    (staged / "again").mkdir()
    named = replace(request(), knowledge=("docs/a.md",))
    with pytest.raises(UsageError, match=r"docs/a\.md can't be read"):
        prepare(named, staged / "again", "python")


def test_a_link_put_in_the_place_of_a_found_file_is_not_sent(
    here: Path, staged: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (here / "secret.txt").write_text("secret")
    (here / "docs").mkdir()
    (here / "docs" / "a.md").write_text("A")
    really = find_files

    def found(paths: Sequence[str], omissions: Omissions) -> list[SourceFile]:
        found = really(paths, omissions)
        (here / "docs" / "a.md").unlink()
        (here / "docs" / "a.md").symlink_to(here / "secret.txt")
        return found

    monkeypatch.setattr(f"{prepare.__module__}.find_files", found)

    job = prepare(replace(request(), knowledge=("docs",)), staged, "python")

    assert job.notes == ("Left out: 1 unreadable file (docs/a.md)",)
    assert not (staged / "_files" / "docs" / "a.md").exists()


def test_knowledge_that_is_not_there_is_refused_here(here: Path, staged: Path) -> None:
    with pytest.raises(UsageError, match="doesn't exist"):
        prepare(replace(request(), knowledge=("missing",)), staged, "python")


def test_a_password_is_never_sent(here: Path, staged: Path) -> None:
    with pytest.raises(UsageError, match="Redis URL has a password") as refused:
        prepare(request({"REDIS_URL": "redis://:hunter2@store:6379/0"}), staged, "python")

    assert "hunter2" not in str(refused.value)


def test_the_models_key_stays_here_and_the_user_is_told(here: Path, staged: Path) -> None:
    environment = {"OPENAI_API_KEY": "sk-canary", "OPENAI_BASE_URL": "http://model:8000/v1"}

    job = prepare(request(environment), staged, "python")

    assert "sk-canary" not in str(job)
    assert "is not sent" in job.notes[0]
    assert job.env_vars == {"OPENAI_BASE_URL": "http://model:8000/v1"}


def test_what_of_the_knowledge_is_not_sent_is_told(here: Path, staged: Path) -> None:
    (here / "docs").mkdir()
    (here / "docs" / "a.md").write_text("text")
    (here / "docs" / "a.png").write_bytes(b"\0")

    job = prepare(replace(request(), knowledge=("docs",)), staged, "python")

    assert job.notes == ("Left out: 1 image",)


def test_the_settings_and_the_users_own_agents_come_along(here: Path, staged: Path) -> None:
    (here / "fleet.toml").write_text('[agents.reviewer]\nclass = "reviewer:Reviewer"\n')
    (here / "reviewer.py").write_text("class Reviewer: ...\n")

    prepare(JobRequest("why?", load(environment={})), staged, "python")

    found = sorted(str(path.relative_to(staged)) for path in staged.rglob("*.*"))
    assert found == ["_files/fleet.toml", "reviewer.py"]


def test_a_package_of_agents_comes_along(here: Path, staged: Path) -> None:
    (here / "crew" / "deep").mkdir(parents=True)
    for name in ("__init__.py", "deep/__init__.py", "notes.txt"):
        (here / "crew" / name).write_text("")
    asked = request()
    settings = asked.configuration.settings
    agents = {**settings.agents, "critic": AgentSettings("crew.deep:Critic")}
    configuration = replace(asked.configuration, settings=replace(settings, agents=agents))

    prepare(replace(asked, configuration=configuration), staged, "python")

    found = sorted(str(path.relative_to(staged)) for path in staged.rglob("*.*"))
    assert found == ["crew/__init__.py", "crew/deep/__init__.py"]


def test_what_is_no_agents_module_is_not_where_ray_imports_from(here: Path, staged: Path) -> None:
    (here / "fleet.toml").write_text('[agents.reviewer]\nclass = "pydantic:Reviewer"\n')
    (here / "pydantic.py").write_text("class Reviewer: ...\n")
    asked = JobRequest("why?", load(environment={}), knowledge=("pydantic.py",))

    prepare(asked, staged, "python")

    assert [path.name for path in staged.iterdir()] == ["_files"]
    assert (staged / "_files" / "pydantic.py").exists()


def test_flags_are_handed_on_before_the_goal(here: Path, staged: Path) -> None:
    job = prepare(replace(request(), flags=("--json",)), staged, "python")

    assert words(job)[-3:] == ["--json", "--", "why?"]


@pytest.mark.parametrize("section", ["[model]", '[models.m]\nuri = "openai:m"'])
def test_headers_whose_values_are_in_the_file_stay_here(
    here: Path, staged: Path, section: str
) -> None:
    (here / "fleet.toml").write_text(section + '\nheaders = { api-key = "s3cret" }\n')

    with pytest.raises(
        UsageError, match=r"write \$\{NAME\} there, and set that variable where"
    ) as no:
        prepare(request(), staged, "python")

    assert "s3cret" not in str(no.value)


def test_headers_that_name_variables_go_along(here: Path, staged: Path) -> None:
    text = '[model]\nuri = "openai:m"\nheaders = { api-key = "${KEY}" }\n'
    (here / "fleet.toml").write_text(text)

    prepare(request({"KEY": "s3cret", "OPENAI_API_KEY": "k"}), staged, "python")

    assert (staged / "_files" / "fleet.toml").read_text() == text
