"""A page on which a person asks the model. It loads nothing from other servers."""

import pathlib

_ACCEPT = {
    "image": "image/*",
    "audio": "audio/*",
    "video": ".npy",
    "points": "",
    "page": ".txt",
}
FILES = {"page.css": "text/css", "page.js": "text/javascript"}
POLICY = (
    "default-src 'none'; script-src 'self'; style-src 'self'; "
    "img-src 'self' blob: data:; media-src blob:; connect-src 'self'; "
    "form-action 'self'; base-uri 'none'; frame-ancestors 'none'"
)


def render(served, name):
    """The HTML of the page.

    Args:
        served: The `Served`.
        name: Name of the model.
    """
    import jinja2

    folder = pathlib.Path(__file__).parent
    environment = jinja2.Environment(
        loader=jinja2.FileSystemLoader(folder), autoescape=True, trim_blocks=True
    )
    parts = [
        {"name": part, "fields": [(i, served.fields[i]) for i in positions]}
        for part, positions in served.parts.items()
    ]
    template = environment.get_template("page.html.jinja")
    return template.render(name=name, parts=parts, accept=_ACCEPT)
