# SPDX-License-Identifier: Apache-2.0
"""What every operator is in hardware, one a file, named as the operators; both backends print from it."""
