"""``python -m streamlcn`` is ``streamlcn``."""

from streamlcn.cli import main

if __name__ == "__main__":
    main()
