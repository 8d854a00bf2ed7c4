"""A bluesky 0MQ proxy on two free loopback ports: ``python -m streamlcn.demo.proxy`` prints them."""

from __future__ import annotations

__all__ = ["main"]


def main() -> None:
    """Print the in and the out address on one line and forward until a signal comes."""
    from bluesky.callbacks.zmq import Proxy

    proxy = Proxy("tcp://127.0.0.1", "tcp://127.0.0.1")
    print(proxy.in_port, proxy.out_port, flush=True)  # noqa: T201
    proxy.start()  # type: ignore[no-untyped-call]


if __name__ == "__main__":
    main()
