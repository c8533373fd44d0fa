# SPDX-License-Identifier: MIT
"""Fixtures: the guest's root folder, and the beds, each made once for all tests that can share it."""

import os

import pytest

from bed import PlainBed, VirtualBed, make_root


@pytest.fixture(scope="session")
def guest_root(tmp_path_factory):
    folder = tmp_path_factory.mktemp("guest") / "root"
    make_root(folder)
    return folder


@pytest.fixture(scope="module")
def virtual(guest_root):
    """The virtual bed of a test module, with the small internet in it."""
    with VirtualBed(guest_root) as bed:
        yield bed


@pytest.fixture(scope="session")
def plain_session():
    if os.geteuid() != 0:
        pytest.skip("the plain bed makes network namespaces on this machine: run as root")
    with PlainBed() as bed:
        yield bed


@pytest.fixture
def plain(plain_session):
    return plain_session


@pytest.fixture(params=["virtual", "plain"])
def bed(request):
    """Each bed in turn, for what must hold on both."""
    return request.getfixturevalue(request.param)
