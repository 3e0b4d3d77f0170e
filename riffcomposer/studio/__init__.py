"""The studio: songs of a folder in the browser, and an HTTP API for programs.

`riffcompose studio` starts it. `workspace` decides which files a request can reach, `jobs` is the queue of
renders, `app` and `routes_*` answer requests, `guard` says what a request must bring. `static/` is the page.
"""
