import pytest
class D:
    def __init__(self, url): self.url = url
    def kill(self): pass
    def start(self): pass
@pytest.fixture
def database(tmp_path): return D("sqlite")
