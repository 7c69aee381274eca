# SPDX-License-Identifier: Apache-2.0
"""`python -m bench`: simulates the build this folder belongs to."""

from .runner import main

raise SystemExit(main())
