from strongroom.cli.shown import columns, show_rows


def test_columns_align_and_end_without_blanks():
    assert columns([["a", "bb", ""], ["ccc", "d", "e"]]) == ["a    bb", "ccc  d   e"]


def test_what_clients_wrote_does_not_speak_to_the_terminal():
    assert columns([["\x1b[2Jrole", "a\nb"], ["c", "d"]]) == ["�[2Jrole  a�b", "c         d"]


def test_nothing_is_shown_as_nothing_or_an_empty_list(capsys):
    show_rows([], as_json=False)
    assert capsys.readouterr().out == ""
    show_rows([], as_json=True)
    assert capsys.readouterr().out == "[]\n"
