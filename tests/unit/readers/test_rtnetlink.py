from __future__ import annotations

import errno
import random
import struct

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tablefull.readers import rtnetlink
from tablefull.readers.files import ReadError
from tablefull.readers.rtnetlink import (
    address_text,
    dump,
    of_family,
    parse_address,
    parse_attributes,
    parse_messages,
    parse_name,
    parse_u32,
)
from tests.unit.readers.netlink import attribute, recorded, survives, u32


def message(kind: int, payload: bytes = b'', flags: int = 2) -> bytes:
    return struct.pack('=IHHII', 16 + len(payload), kind, flags, 1, 0) + payload + b'\0' * (-len(payload) % 4)


DONE = message(3, struct.pack('=i', 0))


class FakeSocket:
    """Answers every request with the next list of datagrams."""

    def __init__(self, answers: list[list[bytes]], sender: int = 0) -> None:
        self.answers, self.sender, self.requests = answers, sender, 0

    def __call__(self, *unused: int) -> FakeSocket:
        self.pending = list(self.answers[min(self.requests, len(self.answers) - 1)])
        self.requests += 1
        return self

    def settimeout(self, seconds: float) -> None:
        assert 0 < seconds < 8

    def sendto(self, data: bytes, address: tuple[int, int]) -> None:
        assert struct.unpack_from('=IHH', data) == (len(data), 26, 0x301)
        assert address == (0, 0)

    def recvfrom(self, size: int) -> tuple[bytes, tuple[int, int]]:
        assert size >= 32768, 'the kernel answers with up to 32 KiB, and cuts off what does not fit'
        if not self.pending:
            raise TimeoutError
        sender = self.sender
        self.sender = 0
        return self.pending.pop(0), (sender, 0)

    def close(self) -> None:
        self.pending = []


def ask(
    monkeypatch: pytest.MonkeyPatch, answers: list[list[bytes]], sender: int = 0, most: int = 100
) -> tuple[FakeSocket, rtnetlink.Dump]:
    fake = FakeSocket(answers, sender)
    monkeypatch.setattr(rtnetlink._socket, 'socket', fake)
    return fake, dump(rtnetlink.GET_ROUTE, bytes(12), 'routes', most)


def test_a_dump_is_gathered_from_several_answers(monkeypatch: pytest.MonkeyPatch) -> None:
    _, found = ask(monkeypatch, [[message(24, b'aaaa') + message(24, b'bb'), message(24, b'cccc'), DONE]])
    assert found == ([b'aaaa', b'bb', b'cccc'], True)


def test_an_interrupted_dump_is_asked_for_again(monkeypatch: pytest.MonkeyPatch) -> None:
    fake, found = ask(monkeypatch, [[message(24, b'old!', 2 | 0x10), DONE], [message(24, b'new!'), DONE]])
    assert (found.payloads, fake.requests) == ([b'new!'], 2)


def test_a_dump_that_is_always_interrupted_counts_in_the_end(monkeypatch: pytest.MonkeyPatch) -> None:
    fake, found = ask(monkeypatch, [[message(24, b'busy', 2 | 0x10), DONE]])
    assert (found.payloads, fake.requests) == ([b'busy'], 3)


def test_a_refusal_of_the_kernel_is_a_read_error_with_its_reason(monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(ReadError, match=r'rtnetlink routes: Operation not permitted') as caught:
        ask(monkeypatch, [[message(2, struct.pack('=i', -errno.EPERM))]])
    assert caught.value.permission


def test_an_error_in_the_last_message_of_a_dump_is_not_overlooked(monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(ReadError, match='No buffer space'):
        ask(monkeypatch, [[message(24, b'aaaa'), message(3, struct.pack('=i', -errno.ENOBUFS))]])


def test_a_kernel_that_does_not_answer_is_a_read_error(monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(ReadError, match='no answer in time'):
        ask(monkeypatch, [[message(24, b'aaaa')]])


def test_what_other_processes_send_is_not_believed(monkeypatch: pytest.MonkeyPatch) -> None:
    _, found = ask(monkeypatch, [[message(24, b'spoofed!'), message(24, b'true'), DONE]], sender=4711)
    assert found.payloads == [b'true']


def test_a_dump_without_end_is_cut_off_and_says_so(monkeypatch: pytest.MonkeyPatch) -> None:
    _, found = ask(monkeypatch, [[message(24, b'aaaa') * 200, DONE]], most=50)
    assert (len(found.payloads), found.complete) == (50, False)


def test_without_netlink_there_is_a_read_error(monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(*unused: int) -> None:
        raise OSError(errno.EAFNOSUPPORT, 'no')

    monkeypatch.setattr(rtnetlink._socket, 'socket', refuse)
    with pytest.raises(ReadError, match='Address family not supported'):
        dump(rtnetlink.GET_LINK, bytes(16), 'links')


@pytest.mark.parametrize('length', [0, 15, 21, 1 << 31])
def test_a_message_whose_length_does_not_fit_is_a_read_error(length: int) -> None:
    with pytest.raises(ReadError, match='cut off'):
        list(parse_messages(struct.pack('=IHHII', length, 24, 2, 1, 0) + b'abcd'))


@pytest.mark.parametrize('length', [0, 3, 9, 0xFFFF])
def test_an_attribute_whose_length_does_not_fit_is_a_read_error(length: int) -> None:
    # A route whose gateway is cut off must not pass for one without gateway.
    with pytest.raises(ReadError, match='cut off'):
        parse_attributes(struct.pack('=HH', length, 5) + b'abcd', 0, 'routes')


def test_a_message_shorter_than_its_header_is_a_read_error() -> None:
    with pytest.raises(ReadError, match='cut off'):
        parse_attributes(b'short', 12, 'routes')


def test_flag_bits_of_an_attribute_type_do_not_hide_it() -> None:
    assert parse_attributes(attribute(0x8000 | 18, b'abcd') + attribute(3, b'lo\0'), 0, 'links') == {
        18: b'abcd',
        3: b'lo\0',
    }


def test_numbers_and_names_are_in_the_form_of_the_kernel() -> None:
    assert parse_u32(struct.pack('=I', 4000000000), 'x') == 4000000000
    assert parse_u32(None, 'x') is None
    assert (parse_name(b'eth0\0\0'), parse_name(b'eth0'), parse_name(None), parse_name(b'\xff\0')) == (
        'eth0',
        'eth0',
        '',
        '\\xff',
    )
    with pytest.raises(ReadError):
        parse_u32(b'abc', 'x')


@pytest.mark.parametrize(
    'text, good',
    [
        ('192.0.2.1', True),
        ('fe80::1', True),
        ('::', True),
        ('192.0.2', False),
        ('', False),
        ('a\0b', False),
        ('fe80::1%eth0', False),
    ],
)
def test_addresses_are_read_and_written_as_people_do(text: str, good: bool) -> None:
    address = parse_address(text)
    assert (address is not None) == good
    assert address is None or address_text(address) == text


def test_ten_thousand_mutated_answers_are_messages_or_a_read_error() -> None:
    chance = random.Random(1)
    answer = b''.join(message(24, payload) for payload in recorded('routes4')) + DONE

    def walk(data: bytes) -> int:
        return sum(len(parse_attributes(payload, 12, 'x')) for _, _, payload in parse_messages(data))

    assert walk(answer[: -len(DONE)]) > 50
    for _ in range(10_000):
        data = bytearray(answer)
        for _ in range(chance.randint(1, 5)):
            data[chance.randrange(len(data))] = chance.randrange(256)
        survives(walk, bytes(data[: chance.randint(0, len(data))]))


@given(st.binary(max_size=200))
def test_any_bytes_are_messages_or_a_read_error(data: bytes) -> None:
    survives(lambda payload: list(parse_messages(payload)), data)
    survives(lambda payload: parse_attributes(payload, 0, 'x'), data)


def test_the_sandwich_of_a_nested_attribute_is_read_with_the_same_function() -> None:
    nested = attribute(18, attribute(1, b'vrf\0') + attribute(2, u32(1, 10)))
    information = parse_attributes(parse_attributes(nested, 0, 'x')[18], 0, 'x')
    assert parse_u32(parse_attributes(information[2], 0, 'x')[1], 'x') == 10


def test_this_kernel_answers_without_privilege() -> None:
    found = dump(rtnetlink.GET_LINK, bytes(16), 'links')
    assert found.complete and found.payloads


def test_messages_of_another_family_than_asked_for_are_dropped() -> None:
    assert of_family([b'\x02a', b'\x0ab', b'', b'\x02c'], 2) == [b'\x02a', b'\x02c']
