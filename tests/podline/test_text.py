from podline.text import lines_of


def test_lines_are_python_s() -> None:
    assert lines_of("a\nb\r\nc\rd\u2028e\x0cf\x85g\n") == ["a", "b", "c", "d\u2028e\x0cf\x85g", ""]
