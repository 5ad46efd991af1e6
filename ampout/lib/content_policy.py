"""What a browser may load and run on our pages (Content Security Policy, level 3), one policy for each kind of answer.

A view that needs another than its kind's sets the header itself. No policy lets a script stand in a page, and none
lets anything come from another host.
"""

HEADER = "Content-Security-Policy"

_LOCKED = "base-uri 'none'; frame-ancestors 'none'; object-src 'none'"

NOTHING = f"default-src 'none'; form-action 'none'; {_LOCKED}"
"""Answers that are no pages: JSON, pictures, files."""

PAGE_STYLE = "sha256-zo976MXzg+8fBLFonxxqDdVuVE2arpeFpQwMak5KMOk="
"""The one style block of templates/unsubscribe_base.html."""

PAGE = f"default-src 'none'; style-src '{PAGE_STYLE}'; form-action 'self'; {_LOCKED}"
"""What recipients see: a style, and a form."""

# Alpine, which moves unfold's menus, makes functions of the attributes in unfold's own templates; both libraries set
# styles in place. Text of others never gets into such an attribute, and no script block runs.
ADMIN = (
    "default-src 'none'; script-src 'self' 'unsafe-eval'; style-src 'self' 'unsafe-inline'; img-src 'self' data:; "
    f"font-src 'self'; connect-src 'self'; form-action 'self'; {_LOCKED}"
)

DOCS = (
    "default-src 'none'; script-src 'self'; style-src 'self' 'unsafe-inline'; img-src 'self' data:; "
    f"font-src 'self' data:; connect-src 'self'; worker-src 'self' blob:; form-action 'none'; {_LOCKED}"
)
"""Pages that show the API's description: Swagger's and Redoc's files, which style in place and search in a worker."""
