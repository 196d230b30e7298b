"""One HTML file that loads nothing: its styles and scripts are inside, allowed by their hashes."""

import base64
import hashlib
import json
import zlib
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from jinja2 import Environment, FileSystemLoader, StrictUndefined
from markupsafe import Markup

HERE = Path(__file__).parent
STYLE = HERE / "page.css"
"""What all our pages share."""


def document(template: Path, styles: Sequence[str], scripts: Sequence[str], **context: Any) -> str:
    """Render a template; every name in ``context`` is escaped.

    The template places ``head``, the policy and the styles, and ``foot``, the scripts. The policy
    forbids all but these very bytes, and pictures that are part of the file.
    """
    environment = Environment(
        loader=FileSystemLoader([template.parent, HERE]),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    style = "\n".join([STYLE.read_text(encoding="utf-8"), *styles])
    policy = [
        "default-src 'none'",
        "img-src data:",
        f"style-src {_hash(style)}",
        f"script-src {' '.join(map(_hash, scripts)) or _NONE}",
        "base-uri 'none'",
        "form-action 'none'",
    ]
    meta = Markup('<meta http-equiv="Content-Security-Policy" content="{}">').format(
        "; ".join(policy)
    )
    return environment.get_template(template.name).render(
        head=meta + Markup(f"\n<style>{style}</style>"),
        foot=Markup("\n".join(f"<script>{code}</script>" for code in scripts)),
        **context,
    )


def packed(data: Any) -> str:
    """JSON, deflated and in base64, which needs no escaping; a page unpacks it by itself."""
    plain = json.dumps(data, ensure_ascii=False, separators=(",", ":"))
    squeezed = zlib.compress(plain.encode(), 6, wbits=-zlib.MAX_WBITS)
    return base64.b64encode(squeezed).decode()


_NONE = "'none'"


def _hash(source: str) -> str:
    return f"'sha256-{base64.b64encode(hashlib.sha256(source.encode()).digest()).decode()}'"
