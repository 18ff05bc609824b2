"""The explorer: pages that the endpoint serves, for a browser that has signed in with a token.

A page is a route in a file of its own, named for what it shows, and a template of that name:

1. Write the route in `explorer/thing.py`, with a path at the root (alerts link to `/alerts/{id}`)
   and a visitor: `visit: Annotated[Visit, Depends(visiting("read"))]` for GET, `posting("alerts")`
   for POST. Who has not signed in is sent to the sign-in page and back; `posting` refuses a form
   without its CSRF token. Blocking reads go to `run_in_threadpool`.
2. Read what is shown, call `visit.record(rows)`, and only then return `visit.page("thing.html")`
   with the values of the template: each read is audited before the answer leaves, or refused.
3. Write `templates/thing.html`, which extends `layout.html`: blocks `title` and `content`. Values
   are escaped. `icon("eye")` inlines `icons/eye.svg`. A form that posts holds
   `<input type="hidden" name="csrf" value="{{ csrf }}">`. Scripts and styles are files in `static/`
   (`{{ static("thing.js") }}` is the address of one): the CSP refuses inline ones and other hosts.
4. Add the router in `explorer/routes.py`, a link in `render.NAVIGATION`, and the path to `PAGES` of
   `tests/api/explorer/test_pages.py`, which looks at it with axe, in light and dark.

A RefusedError raised by a page is shown as a page.
"""
