"""What the tests of this folder share."""

from tests.github_bench import bench

__all__ = ["bench"]
