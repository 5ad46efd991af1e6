"""The API described: OpenAPI 3.1, its pages, and the reference in Markdown.

A new route gets an `Operation` in `chapters`, and a `Shape` where its answer has a new one; a new code its line in
`codes`. Then `manage.py describe_api` writes docs/reference/openapi.json and docs/reference/api.md anew; the tests hold
both, every route, every field and every answer that they see against the description.
"""
