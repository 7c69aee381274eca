# SPDX-License-Identifier: Apache-2.0
"""The report of a build: one HTML file that opens offline; docs/report.md says what stands in it."""

from qnn_hw.report.facts import report_facts
from qnn_hw.report.page import render, write_report

__all__ = ["render", "report_facts", "write_report"]
