"""The description of the protocol as a page. FastAPI's own fetches scripts from afar; a clinic's network is shut."""

from __future__ import annotations

from html import escape
from typing import Any

STYLE = (
    "body{font:16px/1.5 system-ui,sans-serif;max-width:52rem;margin:2rem auto;padding:0 1rem;color-scheme:light dark}"
    "code{font-size:.95em}h2{margin-top:2rem;border-bottom:1px solid #8888}dt{font-weight:600}dd{margin:0 0 .5rem 1rem}"
)


def page(description: dict[str, Any]) -> str:
    """HTML of an OpenAPI description."""
    info = description["info"]
    sections = [
        _section(method, path, operation)
        for path, operations in description["paths"].items()
        for method, operation in operations.items()
    ]
    return (
        f'<!doctype html><html lang="en"><meta charset="utf-8"><title>{escape(info["title"])}</title>'
        f"<style>{STYLE}</style><h1>{escape(info['title'])} {escape(info['version'])}</h1>"
        f"{_paragraphs(info['description'])}{''.join(sections)}</html>"
    )


def _section(method: str, path: str, operation: dict[str, Any]) -> str:
    heading = f"<h2><code>{method.upper()} {escape(path)}</code></h2>{_paragraphs(operation.get('description', ''))}"
    rows = []
    if "requestBody" in operation:
        body = operation["requestBody"]
        rows.append(("Request", f"{body.get('description', '')} ({', '.join(body['content'])})"))
    for status, answer in operation["responses"].items():
        kinds = ", ".join(answer.get("content", {}))
        rows.append((f"Answer {status}", f"{answer.get('description', '')} {f'({kinds})' if kinds else ''}"))
    return (
        heading + "<dl>" + "".join(f"<dt>{escape(name)}</dt><dd>{escape(text)}</dd>" for name, text in rows) + "</dl>"
    )


def _paragraphs(text: str) -> str:
    return "".join(f"<p>{escape(part)}</p>" for part in text.split("\n\n") if part)
