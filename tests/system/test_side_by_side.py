"""Every scenario is handed out once, and one that nobody told of has not passed."""

import os
import tempfile
import unittest
from pathlib import Path

from lab import side_by_side


class SideBySide(unittest.TestCase):
    """Three labs that do as they are told."""

    def test_each_scenario_runs_once(self) -> None:
        with tempfile.TemporaryDirectory() as folder:
            def lab(number: int, take: side_by_side.Take, tell: side_by_side.Tell) -> int:
                for each in take:
                    (Path(folder) / f"{each}-{number}").touch()
                    tell(True)
                return 0

            result = side_by_side.run(3, 200, lab)
            ran = sorted(int(path.name.split("-")[0]) for path in Path(folder).iterdir())
        self.assertEqual(ran, list(range(200)))
        self.assertEqual(result, side_by_side.Result(200, 0, 0))

    def test_a_failure_is_counted(self) -> None:
        def lab(_: int, take: side_by_side.Take, tell: side_by_side.Tell) -> int:
            failed = False
            for each in take:
                tell(each != 4)
                failed |= each == 4
            return 1 if failed else 0

        self.assertEqual(side_by_side.run(3, 9, lab), side_by_side.Result(8, 1, 1))

    def test_what_a_lab_that_dies_had_taken_has_not_passed(self) -> None:
        def lab(_: int, take: side_by_side.Take, tell: side_by_side.Tell) -> int:
            for each in take:
                if each == 2:
                    os._exit(3)
                tell(True)
            return 0

        result = side_by_side.run(2, 9, lab)
        self.assertEqual((result.passed, result.failed, result.status), (8, 1, 3))

    def test_what_no_lab_takes_has_not_passed(self) -> None:
        result = side_by_side.run(2, 5, lambda _number, _take, _tell: 9)
        self.assertEqual(result, side_by_side.Result(0, 5, 9))


if __name__ == "__main__":
    unittest.main()
