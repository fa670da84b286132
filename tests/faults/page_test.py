#!/usr/bin/python3
"""page.py finds each way in which docs/faults.md can be wrong, and nothing in one that is right."""
import pathlib
import tempfile
import unittest

import page

ROW = "| F%d %s | mesh | nothing lost | `cut_test`: `loses_nothing`; `CTest`: `faults_cut` |\n"


class Page(unittest.TestCase):
    def setUp(self):
        directory = pathlib.Path(self.enterContext(tempfile.TemporaryDirectory()))
        file = directory / "cut_test.c"
        file.write_text("Test(cut, loses_nothing)\n")
        self.files, self.ctest = {"cut_test": (file, True)}, {"faults_cut"}
        self.rows = [ROW % (number, "a fault") for number in page.PLANNED]

    def found(self):
        return list(page.found("".join(self.rows), self.files, self.ctest))

    def test_one_that_is_right(self):
        self.assertEqual(self.found(), [])

    def test_a_fault_without_a_row(self):
        del self.rows[3]
        self.assertEqual(self.found(), ["F4 has no row"])

    def test_a_fault_with_two_rows(self):
        self.rows.append(ROW % (47, "again"))
        self.assertEqual(self.found(), ["F47 has 2 rows"])

    def test_a_row_without_a_test(self):
        self.rows[0] = "| F1 a fault | mesh | nothing lost | later |\n"
        self.assertEqual(len(self.found()), 1)

    def test_a_test_that_is_called_otherwise_now(self):
        self.rows[0] = self.rows[0].replace("loses_nothing", "lost_nothing")
        self.assertEqual(self.found(), ["cut_test.c has no test lost_nothing"])

    def test_a_file_that_is_gone(self):
        self.rows[0] = self.rows[0].replace("cut_test", "torn_test")
        self.assertEqual(self.found(), ["no file tests/*/torn_test.*"])

    def test_a_file_that_nobody_runs(self):
        self.files["cut_test"] = (self.files["cut_test"][0], False)
        self.assertIn("cut_test.c is in no CMakeLists.txt", self.found())

    def test_a_run_that_ctest_does_not_know(self):
        self.ctest.clear()
        self.assertIn("F1: CTest runs no faults_cut", self.found())


if __name__ == "__main__":
    unittest.main()
