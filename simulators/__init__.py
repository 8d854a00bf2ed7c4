"""A simulated Zernike phase-contrast nano-CT beamline: bone of known porosity, wave optics, camera.

It stands alone: `python -m simulators --help` lists what it can do, and docs/simulator.md says what physics
is in it and what is left out. Importing this package loads neither torch nor bluesky.
"""
