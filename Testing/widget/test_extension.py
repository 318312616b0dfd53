"""The extension as Slicer's index takes it: every file is packaged, and all descriptions of it say the same."""

from __future__ import annotations

import json
import re
import shutil
import struct
import subprocess
from pathlib import Path
from urllib.parse import urlsplit

import pytest

TOP = Path(__file__).parents[2]
MODULE = TOP / "MSAMSegment"
LISTS = MODULE / "CMakeLists.txt"
PACKAGES = ("MSAMSegmentLib", "MSAMSegmentWidgets", "msam")
# What is written anew at every run, and no part of the source.
PASSING = ("__pycache__", "CMakeLists.txt")

# Schema 1.0.2 of the index's descriptions; it allows nothing else.
REQUIRED = {"$schema": str, "category": str, "scm_url": str}
OPTIONAL = {
    "build_dependencies": list,
    "build_subdirectory": str,
    "dicom_support_rule": str,
    "enabled": bool,
    "scm_revision": str,
    "scm_type": str,
    "tier": int,
}
SCHEMA = (
    "https://raw.githubusercontent.com/Slicer/Slicer/main/Schemas/slicer-extension-catalog-entry-schema-v1.0.2.json#"
)
MOST_BYTES = 100 * 1024**2
PAGES = ("README.md", "Docs/tutorial.md")


def listed(name: str) -> list[str]:
    """The files that a list in the module's CMakeLists.txt names."""
    found = re.search(rf"set\({name}\n(.*?)\)", LISTS.read_text(encoding="utf-8"), re.DOTALL)
    assert found, f"{LISTS.name} has no list {name}"
    return found[1].split()


def there(*places: str, ending: str = "") -> list[str]:
    """The files of the source in files and folders of the module."""
    paths = [path for place in places for path in (MODULE / place, *(MODULE / place).rglob("*"))]
    names = [path.relative_to(MODULE) for path in paths if path.is_file() and path.name.endswith(ending)]
    return sorted(
        name.as_posix() for name in names if not any(part in PASSING or part.startswith(".") for part in name.parts)
    )


def cmake_setting(name: str) -> str:
    """What the extension's CMakeLists.txt says of itself."""
    found = re.search(rf'^set\({name} "([^"]*)"\)', (TOP / "CMakeLists.txt").read_text(encoding="utf-8"), re.MULTILINE)
    assert found, f"CMakeLists.txt does not set {name}"
    return found[1]


def older_description() -> dict[str, str]:
    """MSAMSegment.s4ext: a word and its value on each line."""
    lines = (TOP / "MSAMSegment.s4ext").read_text(encoding="utf-8").splitlines()
    pairs = (line.split(maxsplit=1) for line in lines if line.strip() and not line.startswith("#"))
    return {pair[0]: pair[1] if len(pair) > 1 else "" for pair in pairs}


def description() -> dict[str, object]:
    """MSAMSegment.json."""
    return json.loads((TOP / "MSAMSegment.json").read_text(encoding="utf-8"))


def in_repository(url: str) -> Path:
    """The file of this repository that a raw address at GitHub leads to."""
    owner, repository, branch, *path = urlsplit(url).path.strip("/").split("/")
    assert urlsplit(url).netloc == "raw.githubusercontent.com", url
    assert f"https://github.com/{owner}/{repository}.git" == description()["scm_url"]
    assert branch == description()["scm_revision"]
    return TOP.joinpath(*path)


@pytest.mark.parametrize(
    ("name", "source"),
    [
        ("MODULE_PYTHON_SCRIPTS", there("MSAMSegment.py", *PACKAGES, ending=".py")),
        ("MODULE_PYTHON_RESOURCES", there("Resources")),
    ],
)
def test_every_file_is_packaged_and_every_packaged_file_exists(name: str, source: list[str]) -> None:
    names = listed(name)
    missing, gone = sorted(set(source) - set(names)), sorted(set(names) - set(source))
    advice = [f"In {name} of MSAMSegment/CMakeLists.txt:"]
    advice += ["add", *(f"  {each}" for each in missing)] * bool(missing)
    advice += ["take out", *(f"  {each}" for each in gone)] * bool(gone)
    assert not missing and not gone, "\n".join(advice)
    assert names == sorted(set(names)), f"{name} is not in order, or names a file twice"


def test_the_web_page_is_no_part_of_the_extension() -> None:
    assert not [each for each in listed("MODULE_PYTHON_SCRIPTS") if each.startswith("MSAMSegmentWeb")]


def test_cmake_builds_the_module_with_its_tests() -> None:
    top, module = (TOP / "CMakeLists.txt").read_text(encoding="utf-8"), LISTS.read_text(encoding="utf-8")
    assert re.search(r"^project\(MSAMSegment\)", top, re.MULTILINE)
    assert "add_subdirectory(MSAMSegment)" in top
    assert "find_package(Slicer REQUIRED)" in top
    assert top.index("include(${Slicer_EXTENSION_GENERATE_CONFIG})") < top.index("include(${Slicer_EXTENSION_CPACK})")
    assert "set(MODULE_NAME MSAMSegment)" in module
    assert re.search(
        r"slicerMacroBuildScriptedModule\(\s*NAME \$\{MODULE_NAME\}\s*SCRIPTS \$\{MODULE_PYTHON_SCRIPTS\}\s*"
        r"RESOURCES \$\{MODULE_PYTHON_RESOURCES\}\s*WITH_GENERIC_TESTS\s*\)",
        module,
    )
    assert re.search(r"if\(BUILD_TESTING\).*slicer_add_python_unittest\(SCRIPT \S+\.py\)\s*endif", module, re.DOTALL)


def test_the_description_is_one_that_the_index_accepts() -> None:
    raw, entry = (TOP / "MSAMSegment.json").read_bytes(), description()
    assert b"\r" not in raw, "the index wants lines to end in LF"
    assert raw.endswith(b"\n")
    assert REQUIRED.keys() <= entry.keys() <= (REQUIRED | OPTIONAL).keys()
    for key, value in entry.items():
        assert type(value) is (REQUIRED | OPTIONAL)[key], key
    assert entry["$schema"] == SCHEMA
    assert entry["tier"] in (1, 3, 5)
    assert entry["scm_type"] == "git"
    address = urlsplit(str(entry["scm_url"]))
    assert address.scheme in ("https", "git")
    assert re.fullmatch(r"Slicer\w+\.git", address.path.rsplit("/", 1)[-1])
    assert not any(path.stem.lower().startswith("slicer") for path in TOP.glob("*.json"))


def test_all_descriptions_say_the_same() -> None:
    entry, older = description(), older_description()
    url = str(entry["scm_url"])
    assert older["scmurl"] == url
    assert cmake_setting("EXTENSION_HOMEPAGE") == older["homepage"] == url.removesuffix(".git")
    assert (older["scm"], older["scmrevision"]) == (entry["scm_type"], entry["scm_revision"])
    assert older["build_subdirectory"] == entry["build_subdirectory"]
    assert cmake_setting("EXTENSION_CATEGORY") == older["category"] == entry["category"] == "Segmentation"
    assert cmake_setting("EXTENSION_DEPENDS").split() == older["depends"].split() == entry["build_dependencies"]
    for name in ("contributors", "description", "iconurl", "screenshoturls"):
        assert cmake_setting(f"EXTENSION_{name.upper()}") == older[name], name
    assert older["enabled"] == "1"
    assert entry.get("enabled", True)


def test_the_description_is_one_or_two_sentences() -> None:
    assert 1 <= len(re.findall(r"\.(?:\s|$)", cmake_setting("EXTENSION_DESCRIPTION"))) <= 2


def test_the_icon_is_a_png_of_128_by_128() -> None:
    icon = in_repository(cmake_setting("EXTENSION_ICONURL"))
    raw = icon.read_bytes()
    assert raw.startswith(b"\x89PNG\r\n\x1a\n")
    assert struct.unpack(">II", raw[16:24]) == (128, 128)
    assert icon == MODULE / "Resources" / "Icons" / "MSAMSegment.png"


def test_the_screenshots_are_in_the_repository() -> None:
    urls = cmake_setting("EXTENSION_SCREENSHOTURLS").split()
    assert urls
    missing = [url for url in urls if not in_repository(url).is_file()]
    assert not missing, f"screenshots that are not there: {missing}"


def test_there_is_a_licence_that_the_readme_names() -> None:
    assert "Apache License" in (TOP / "LICENSE.txt").read_text(encoding="utf-8")
    assert "(LICENSE.txt)" in (TOP / "README.md").read_text(encoding="utf-8")


@pytest.mark.parametrize("page", PAGES)
def test_what_the_pages_refer_to_exists(page: str) -> None:
    path = TOP / page
    text = path.read_text(encoding="utf-8")
    links = [each for each in re.findall(r"\]\(([^)\s#]+)", text) if not urlsplit(each).scheme]
    named = re.findall(r"`((?:MSAMSegment|Testing|Docs|Resources)/[^`\s]*)`", text)
    places = {each: path.parent / each for each in links} | {each: TOP / each for each in named}
    assert any(each.endswith(".png") for each in links), f"{page} shows no picture"
    missing = sorted(name for name, place in places.items() if not place.exists())
    assert not missing, f"{page} refers to what is not there: {missing}"


def test_the_readme_names_every_key_of_the_panel() -> None:
    source = (MODULE / "MSAMSegmentWidgets" / "shortcuts.py").read_text(encoding="utf-8")
    keys = re.findall(r'"(Shift\+.)"', source)
    assert len(keys) == 5
    readme = (TOP / "README.md").read_text(encoding="utf-8")
    assert not [key for key in keys if key not in readme]


def test_the_repository_is_smaller_than_the_index_allows() -> None:
    """Its size is that of what git keeps, as GitHub tells it; the files checked out come on top in a clone."""
    if shutil.which("git") is None or not (TOP / ".git").exists():
        pytest.skip("needs git and a clone")

    def git(*arguments: str) -> str:
        return subprocess.run(["git", "-C", str(TOP), *arguments], check=True, capture_output=True, text=True).stdout

    # Each object once, however often this clone has packed it.
    kept = int(git("rev-list", "--disk-usage", "--objects", "HEAD"))
    assert kept < MOST_BYTES, f"{kept / 1e6:.0f} MB of history"
