"""Work in processes of its own: what comes back, and what a time limit does."""

from __future__ import annotations

import math
import os
import time

from meseta.confirm._process import answers_of


def test_each_job_has_its_answer_and_a_fault_is_said_in_words():
    answers = list(answers_of(math.sqrt, [9.0, -1.0], workers=2, timeout=60))
    by_number = {answer.number: answer for answer in answers}
    assert by_number[0].value == 3.0
    assert not by_number[0].error
    assert by_number[1].value is None
    assert by_number[1].error.startswith("ValueError: ")


def test_a_job_past_its_time_is_killed_and_the_next_one_begins():
    began = time.monotonic()
    answers = list(answers_of(time.sleep, [600.0, 600.0], workers=1, timeout=0.3))
    assert [answer.number for answer in answers] == [0, 1]
    assert {answer.error for answer in answers} == {"took longer than 0.3 s and was stopped"}
    assert time.monotonic() - began < 300


def test_a_process_that_dies_is_told_by_its_exit_code():
    (answer,) = answers_of(os._exit, [3], workers=1, timeout=60)
    assert answer.error == "its process ended with exit code 3"


def test_leaving_early_leaves_no_process_behind():
    answers = answers_of(time.sleep, [0.0, 600.0], workers=2, timeout=900)
    assert not next(answers).error
    began = time.monotonic()
    answers.close()
    assert time.monotonic() - began < 60
