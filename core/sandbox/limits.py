"""What a program in the sandbox may use."""

from __future__ import annotations

from pydantic import BaseModel, ConfigDict, Field

__all__ = ["Limits"]


class Limits(BaseModel):
    """Bounds of one run; each is enforced by the kernel, output and wall time by the parent."""

    model_config = ConfigDict(extra="forbid", frozen=True, use_attribute_docstrings=True)

    seconds: float = Field(default=5.0, gt=0)
    """Wall time, after which the whole process group is killed."""
    cpu_seconds: int = Field(default=5, gt=0)
    """Processor time."""
    memory_mib: int = Field(default=512, gt=16)
    """Address space of each process."""
    output_kib: int = Field(default=64, gt=0)
    """Standard output and error taken together; more of it ends the run."""
    file_mib: int = Field(default=8, gt=0)
    """All files of the scratch folder taken together where it is a file system of its own, else
    each file."""
    processes: int = Field(default=4, gt=0)
    """Threads the program may start; processes it may not."""
    files: int = Field(default=32, gt=2)
    """Open files."""
