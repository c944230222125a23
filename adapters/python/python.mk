# SPDX-License-Identifier: LGPL-2.1-or-later
# The Python package: nothing to build, it loads the libraries itself.
python_modules = \
	adapters/python/framekey/__init__.py \
	adapters/python/framekey/_library.py \
	adapters/python/framekey/aio.py \
	adapters/python/framekey/aiortc.py \
	adapters/python/framekey/channel.py \
	adapters/python/framekey/constants.py \
	adapters/python/framekey/errors.py \
	adapters/python/framekey/py.typed \
	adapters/python/framekey/session.py
EXTRA_DIST += $(python_modules) adapters/python/README.md examples/aiortc-call.py examples/bot.py

if ENABLE_PYTHON
framekeypythondir = $(pythondir)/framekey
framekeypython_DATA = $(python_modules)
endif
