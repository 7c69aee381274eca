# SPDX-License-Identifier: Apache-2.0
"""Front ends: from a trained model to a `Graph`. One package a source format."""
