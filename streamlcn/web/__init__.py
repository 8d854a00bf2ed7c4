"""The live page: what operators see, read-only."""

from streamlcn.web._app import make_app
from streamlcn.web._board import Board
from streamlcn.web._server import WebServer, serve
from streamlcn.web.settings import WebSettings

__all__ = ["Board", "WebServer", "WebSettings", "make_app", "serve"]
