from __future__ import annotations

import re

from tests.tsadmin.conftest import Appliance, without_escapes

ADD = ("add", "fmc-1", "--type", "firepower")


def test_add_asks_the_documented_questions_and_enter_accepts_the_defaults(
    appliance: Appliance,
) -> None:
    with appliance.at_terminal(*ADD) as terminal:
        terminal.expect("Configuring 'Cisco Firepower'")
        terminal.expect("Device ID (tdid) : ")
        terminal.type("tdid_abcd1234")
        terminal.expect("Device management IP : ")
        terminal.type("192.0.2.10")
        terminal.expect("Block list name : [default basic.threatstop.local] ")
        terminal.type("")
        terminal.expect("Allow list name (empty for none) : [default none] ")
        terminal.type("allow.example")
        terminal.expect("Send logs to ThreatSTOP : [default yes] ")
        terminal.type("")
        terminal.expect("DNS servers (empty for the site's own) : [default the site's own] ")
        terminal.type("")
        terminal.expect("DNS port : [default 53] ")
        terminal.type("5353")
        terminal.expect("Additional syslog source IPs : [default none] ")
        terminal.type("none")
        terminal.expect("/tdid_abcd1234/threatstop-block.txt")
        assert terminal.finish() == 0
    found = appliance.run("show", "fmc-1", "--json").json["settings"]
    assert found["block_list"] == "basic.threatstop.local"
    assert (found["allow_list"], found["dns_port"]) == ("allow.example", 5353)
    assert (found["syslog_sources"], found["log_size"]) == ([], 100_000)


def test_a_bad_answer_is_explained_and_asked_again(appliance: Appliance) -> None:
    given = ("--management_ip", "192.0.2.10", "--send_logs", "yes", "--syslog_sources", "")
    with appliance.at_terminal(*ADD, *given, "--dns_server", "192.0.2.53") as terminal:
        terminal.expect("Device ID (tdid) : ")
        terminal.type("")
        terminal.expect("Not accepted: use a value; it is required.")
        terminal.expect("Device ID (tdid) : ")
        terminal.type("../x")
        terminal.expect("Not accepted: use 1 to 64 letters, digits, '-' or '_'.")
        terminal.expect("Device ID (tdid) : ")
        terminal.type("tdid_1")
        terminal.expect("Block list name")
        terminal.type("same.example")
        terminal.expect("Allow list name")
        terminal.type("same.example")
        terminal.expect("DNS port")
        terminal.type("")
        terminal.expect("Not accepted: Allow list name same.example: use another list")
        terminal.expect("Allow list name (empty for none) : [default none] ")
        terminal.type("")
        terminal.expect("Added fmc-1.")
        assert terminal.finish() == 0
    assert appliance.run("show", "fmc-1", "--json").json["settings"]["allow_list"] == ""


def test_advanced_asks_the_rest_and_a_password_is_not_echoed(appliance: Appliance) -> None:
    asked = (
        "Log rotate size : [default 100k] ",
        "Room for logs on this appliance : [default 1000M] ",
        "Names in its log lines (host or DeviceUUID; empty for none) : [default none] ",
        "Who writes its log files (receiver or rsyslog) : [default receiver] ",
        "Enable policy updates : [default yes] ",
        "Forward syslog to (host:port/udp, /tcp or /tls) : [default none] ",
        "Sender in forwarded lines (none, structured-data or header) : [default none] ",
        "Log upload proxy (http://address:port) : [default none] ",
        "Proxy user : [default none] ",
    )
    basics = ("--device_id", "tdid_1", "--management_ip", "192.0.2.10", "--dns_port", "53")
    given = (*basics, "--block_list", "b.example", "--allow_list", "", "--dns_server", "")
    rest = ("--send_logs", "no", "--syslog_sources", "", "--note", "", "--domain_name", "")
    with appliance.at_terminal(*ADD, *given, *rest, "--advanced") as terminal:
        for question in asked:
            terminal.expect(question)
            terminal.type("")
        terminal.expect("Proxy password : [default none] ")
        terminal.type("correct horse")
        for question in ("Maximum policy size", "IP type", "Public IP address", "Networks that"):
            terminal.expect(question)
            terminal.type("")
        assert terminal.finish() == 0
    assert "correct horse" not in terminal.seen
    assert appliance.run("show", "fmc-1", "--json").json["settings"]["upload_proxy_password"]


def test_the_end_of_input_at_a_question_stops_without_adding_anything(
    appliance: Appliance,
) -> None:
    with appliance.at_terminal(*ADD) as terminal:
        terminal.expect("Device ID (tdid) : ")
        terminal.type("tdid_1")
        terminal.expect("Device management IP : ")
        terminal.press("\x04")
        terminal.expect("Error: stopped at a question; nothing was changed")
        assert terminal.finish() == 1
    assert appliance.run("list", "--json").json["devices"] == []


def test_ctrl_c_at_a_question_ends_quietly(appliance: Appliance) -> None:
    with appliance.at_terminal(*ADD) as terminal:
        terminal.expect("Device ID (tdid) : ")
        assert terminal.interrupt() == 130
    assert "Error" not in terminal.seen
    assert "Traceback" not in terminal.seen
    assert appliance.run("list", "--json").json["devices"] == []


def test_configure_offers_the_current_values_and_changes_only_what_was_typed(
    appliance: Appliance,
) -> None:
    _add(appliance, "--allow_list", "allow.example", "--dns_port", "5353")
    with appliance.at_terminal("configure", "fmc-1") as terminal:
        terminal.expect("Device ID (tdid) : [default tdid_1] ")
        terminal.type("")
        terminal.expect("Device management IP : [default 192.0.2.10] ")
        terminal.type("192.0.2.11")
        terminal.expect("Block list name : [default basic.threatstop.local] ")
        terminal.type("")
        terminal.expect("Allow list name (empty for none) : [default allow.example] ")
        terminal.type("none")
        for question in ("Send logs", "DNS servers"):
            terminal.expect(question)
            terminal.type("")
        terminal.expect("DNS port : [default 5353] ")
        terminal.type("")
        terminal.expect("Additional syslog")
        terminal.type("")
        terminal.expect("192.0.2.10 -> 192.0.2.11")
        terminal.expect("allow.example -> none")
        assert terminal.finish() == 0
    found = appliance.run("show", "fmc-1", "--json").json["settings"]
    assert (found["management_ip"], found["allow_list"]) == ("192.0.2.11", "")
    assert found["dns_port"] == 5353


def test_remove_asks_and_no_is_the_careful_default(appliance: Appliance) -> None:
    _add(appliance)
    for answer, code in (("", 1), ("maybe\nn", 1), ("y", 0)):
        with appliance.at_terminal("remove", "fmc-1") as terminal:
            terminal.expect("Remove fmc-1? Its feeds end at once. (y or n) [default n] ")
            terminal.type(answer)
            assert terminal.finish() == code
    assert appliance.run("list", "--json").json["devices"] == []


def test_colour_is_for_terminals_and_not_with_no_color(appliance: Appliance) -> None:
    colour = re.compile(r"\x1b\[[0-9;]*3[0-9][0-9;]*m")
    with appliance.at_terminal("demo", TERM="xterm-256color") as terminal:
        assert terminal.finish() == 0
    assert colour.search(terminal.seen)
    assert "The sample device is sample-fmc." in without_escapes(terminal.seen)
    with appliance.at_terminal("demo", TERM="xterm-256color", NO_COLOR="1") as terminal:
        assert terminal.finish() == 0
    assert not colour.search(terminal.seen)
    assert "\x1b" not in appliance.run("demo", env={"TERM": "xterm-256color"}).stdout


def _add(appliance: Appliance, *flags: str) -> None:
    required = ("--device_id", "tdid_1", "--management_ip", "192.0.2.10")
    assert appliance.run(*ADD, *required, *flags).code == 0
