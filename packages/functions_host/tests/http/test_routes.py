"""Routing rules beyond the recorded examples: templates, constraints, paths, order."""

from __future__ import annotations

import pytest

from packages.functions_host.http.route_constraints import make_constraint
from packages.functions_host.http.routes import (
    RouteError,
    compile_route,
    find_route,
    resolve_path,
)


def values(template: str, path: str, method: str = "GET") -> dict[str, str | None] | None:
    found = find_route([compile_route("f", template, ["GET"], "api")], method, f"/api/{path}")
    return None if found is None else dict(found[1])


@pytest.mark.parametrize(
    "template",
    [
        "/lead",
        "/",
        "a//b",
        "a?b",
        "a/{b",
        "a/b}",
        "a/{}",
        "a/{b:nope}",
        "a/{b:length(x)}",
        "a/{b}/{B}",
        "a/{*b}/c",
        "a/x{*b}",
        "a/{*b?}",
        "a/{b=1?}",
        "a/{b}{c}",
        "a/{b}-{c?}",
        "a/{b?}.{c}",
        "a/{b/c}",
    ],
)
def test_refused_templates(template: str) -> None:
    with pytest.raises(RouteError) as caught:
        compile_route("f", template, None, "api")
    assert str(caught.value) == (
        f"An error occurred while creating the route with name 'f' and template 'api/{template}'."
    )


@pytest.mark.parametrize(
    ("template", "path", "expected"),
    [
        ("a/{x}", "A/b", {"x": "b"}),
        ("a/{x}", "a/b/", {"x": "b"}),
        ("a/{x}", "a//b", None),
        ("a/{x}", "a//", None),
        ("a/{x}", "a", None),
        ("a/", "a", {}),
        ("a/{*p}", "a", {"p": None}),
        ("a/{*p}", "a/", {"p": None}),
        ("a/{*p}", "a/b//c/", {"p": "b//c/"}),
        ("a/{*p}", "a//b", None),
        ("a/{*p=x}", "a", {"p": "x"}),
        ("a/{*p:int}", "a", None),
        ("a/{x?}", "a", {"x": None}),
        ("a/{x=5}/{y?}", "a", {"x": "5", "y": None}),
        ("a/{x?}/c", "a/1/c", {"x": "1"}),
        ("a/{x?}/c", "a/c", None),
        ("{n}.{e?}", "a", {"n": "a", "e": None}),
        ("{n}.{e?}", "a.b.c", {"n": "a.b", "e": "c"}),
        ("{n}.{e?}", "a.", None),
        ("v{a}-{b}", "V1-2-3", {"a": "1-2", "b": "3"}),
        ("v{a}-{b}", "v-2", None),
        ("a{{b}}", "a{b}", {}),
        (r"{x:regex(^\d{{2}}$)}", "12", {"x": "12"}),
        (r"{x:regex(^\d{{2}}$)}", "123", None),
        ("{x:regex(a/b)}", "xA%2Fb", None),
        ("{x:min(2):max(4)}", "3", {"x": "3"}),
        ("{x:int=7}", "", {"x": "7"}),
        ("sp ace", "sp%20ace", {}),
    ],
)
def test_matching(template: str, path: str, expected: dict[str, str | None] | None) -> None:
    assert values(template, path) == expected


@pytest.mark.parametrize(
    ("constraint", "good", "bad"),
    [
        ("int", ["5", "-5", "+5", " 5", "2147483647"], ["x", "5.0", "2147483648", "", "\u0665"]),
        ("long", ["9223372036854775807"], ["9223372036854775808"]),
        ("float", ["1.5", "1e3", "-2", ".5"], ["x", "1e", ""]),
        ("double", ["1.5"], ["one"]),
        ("decimal", ["1.5", "-1", "1,000"], ["1e3", "x"]),
        ("bool", ["true", "FALSE", " true "], ["1", "yes", ""]),
        ("datetime", ["2026-11-20", "2026-11-20T10:00:00Z", "11/20/2026"], ["x", "2026-13-01"]),
        ("guid", ["6F9619FF-8B86-D011-B42D-00C04FC964FF", "6f9619ff8b86d011b42d00c04fc964ff"], ["x", "6f9619ff"]),
        ("alpha", ["abc", "ABC"], ["ab1", "é"]),
        ("length(3)", ["abc"], ["ab", "abcd"]),
        ("length(2,3)", ["ab", "abc"], ["a", "abcd"]),
        ("minlength(2)", ["ab"], ["a"]),
        ("maxlength(2)", ["ab"], ["abc"]),
        ("min(5)", ["5"], ["4", "x"]),
        ("max(5)", ["5"], ["6"]),
        ("range(1,9)", ["1", "9"], ["0", "10"]),
        ("regex(^[a-z]{2}$)", ["ab", "AB"], ["abc"]),
        ("required", ["x"], [""]),
        ("INT", ["5"], ["x"]),
    ],
)
def test_constraints(constraint: str, good: list[str], bad: list[str]) -> None:
    check = make_constraint(constraint)
    assert [text for text in good if not check(text)] == []
    assert [text for text in bad if check(text)] == []


@pytest.mark.parametrize(
    ("raw", "path"),
    [
        ("/a/./b/../c", "/a/c"),
        ("/a/%2e%2E/b", "/b"),
        ("/a/..", "/"),
        ("/../a", "/a"),
        ("/a%2Fb", "/a%2Fb"),
        ("/a%252Fb", "/a%2Fb"),
        ("/a+b%2B", "/a+b+"),
        ("/%ff", "/\ufffd"),
    ],
)
def test_paths_are_decoded_once_and_resolved(raw: str, path: str) -> None:
    assert resolve_path(raw) == path


def test_the_first_function_by_name_wins_that_takes_the_method() -> None:
    routes = [
        compile_route("a_any", "x/{v}", ["POST"], ""),
        compile_route("b_int", "x/{v:int}", None, ""),
        compile_route("c_literal", "x/special", ["GET"], ""),
    ]
    found = {
        (method, path): find_route(routes, method, path)
        for method, path in [("POST", "/x/special"), ("GET", "/x/1"), ("GET", "/x/special"), ("PUT", "/x/special")]
    }
    assert [match[0].function if match else None for match in found.values()] == ["a_any", "b_int", "c_literal", None]


def test_no_methods_means_all_and_an_empty_list_none() -> None:
    assert find_route([compile_route("f", "", None, "api")], "PROPFIND", "/api/F")
    assert find_route([compile_route("f", "", [], "api")], "GET", "/api/f") is None
    assert find_route([compile_route("f", "", ["get"], "api")], "GET", "/api/f")
