"""Which client is cut off, and when."""

import asyncio

import pytest

from textclf.serve.clients import LEAST_BYTES, MOST_CUT_OFF, STALL_SECONDS, Clients


class Client:
    """A connection that notes whether it was cut off."""

    def __init__(self, *, is_served=False, unread=0):
        self.served, self.bytes, self.is_cut_off = is_served, unread, False

    def is_served(self):
        return self.served

    def unread(self):
        return self.bytes

    def cut_off(self):
        self.is_cut_off = True


def cut_off(clients):
    return [number for number, client in enumerate(clients) if client.is_cut_off]


def test_beyond_the_maximum_the_one_that_has_waited_longest_goes():
    clients, each = Clients(most=3), [Client() for _ in range(5)]
    for client in each[:3]:
        clients.add(client)
    clients.got_on(each[0])
    for client in each[3:]:
        clients.add(client)
    assert cut_off(each) == [1, 2]


def test_one_whose_answer_is_computed_stays_and_a_new_one_finds_room():
    clients, each = Clients(most=2), [Client(is_served=True), Client(), Client(), Client(is_served=True)]
    for client in each:
        clients.add(client)
    assert cut_off(each) == [1, 2]


def test_a_new_client_is_refused_only_while_all_others_are_served():
    clients, each = Clients(most=2), [Client(is_served=True), Client(is_served=True), Client()]
    for client in each:
        clients.add(client)
    assert cut_off(each) == [2]


def test_unread_answers_may_hold_so_many_bytes_and_then_the_oldest_goes():
    clients, each = Clients(most_unread=1000), [Client(unread=400) for _ in range(4)]
    for client in each:
        clients.add(client)
    for client in each[:2]:
        clients.reads_slowly(client)
    clients.has_read(each[0])
    clients.reads_slowly(each[2])
    assert cut_off(each) == []
    clients.reads_slowly(each[3])
    assert cut_off(each) == [1]


@pytest.mark.parametrize(
    ("unread", "is_stalled"),
    [
        ([5000] * 3, True),
        ([5000, 4999, 4998], True),  # a byte a while is no progress
        ([5000, 5000 - LEAST_BYTES, 5000 - 2 * LEAST_BYTES], False),
        ([5000, 0, 5000], False),
        ([5000, 9000, 9000], False),  # written after the first was read
        ([0, 0, 0], False),
    ],
)
def test_a_client_that_does_not_read_is_cut_off(unread, is_stalled):
    clients, client = Clients(), Client()
    clients.add(client)
    for number, client.bytes in enumerate(unread):
        assert not client.is_cut_off
        clients.cut_off_stalled(number * STALL_SECONDS / 2)
    assert client.is_cut_off == is_stalled


def test_only_some_are_cut_off_at_a_time():
    clients, each = Clients(), [Client(unread=1) for _ in range(2 * MOST_CUT_OFF)]
    for client in each:
        clients.add(client)
    for number in range(2):
        clients.cut_off_stalled(number * STALL_SECONDS)
    assert cut_off(each) == list(range(MOST_CUT_OFF))
    clients.cut_off_stalled(STALL_SECONDS)
    assert cut_off(each) == list(range(2 * MOST_CUT_OFF))


def test_nothing_is_kept_of_a_client_that_is_gone():
    clients, client = Clients(most=1, most_unread=10), Client(unread=10)
    clients.add(client)
    clients.reads_slowly(client)
    clients.cut_off_stalled(0)
    clients.remove(client)
    other = Client(unread=10)
    clients.add(other)
    clients.reads_slowly(other)
    clients.got_on(client)
    clients.add(Client())
    assert not client.is_cut_off
    assert other.is_cut_off


def test_requests_that_came_too_soon_are_begun_in_turn():
    async def main():
        clients, begun, done = Clients(), [], asyncio.Event()
        loop = asyncio.get_running_loop()
        for number in range(5):
            clients.in_turn(lambda number=number: begun.append(number), loop)
        clients.in_turn(done.set, loop)
        assert begun == []
        await done.wait()
        return begun

    assert asyncio.run(main()) == [0, 1, 2, 3, 4]
