"""The table: each guard of the product, how it is taken out, and the test that must fail then."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Plant:
    """In ``file``, ``text`` (which stands there once) becomes ``new``; ``test`` is a test's id for pytest."""

    guard: str
    file: str
    text: str
    new: str
    test: str


_GATE, _TOKENS, _CLAIMS = "triggers/http/gate.py", "gateways/entra/tokens.py", "domain/access/claims.py"
_KEYS, _DECISIONS, _ALLOWED = "gateways/entra/signing_keys.py", "domain/access/decisions.py", "operations/allowed.py"
_POLICY, _REDACTION, _DECIDE = "gateways/policy.py", "domain/redaction.py", "operations/decide.py"
_AT_GATE = "tests/triggers/http/test_gate.py::"
_BAD_TOKEN = "tests/gateways/entra/test_tokens.py::test_a_bad_token"
_OF_KEYS = "tests/gateways/entra/test_signing_keys.py::"
_OF_POLICY = "tests/domain/access/test_decisions.py::"
_SECRET = "tests/domain/test_redaction.py::test_a_secret_of_every_shape_is_left_out"
_NOT_LISTED = f"{_OF_POLICY}test_what_the_policy_does_not_list_is_refused"

PLANTS = (
    # Who calls.
    Plant(
        "the role of a route",
        _GATE,
        "if not holds(principal.roles, role):",
        "if False:",
        f"{_AT_GATE}test_a_refused_caller_is_logged_with_its_principal",
    ),
    Plant("no key answers", _GATE, "if role in _NO_KEY:", "if False:", f"{_AT_GATE}test_no_key_answers_for_a_person"),
    Plant(
        "the role of an option",
        _GATE,
        "if used and not holds(caller.roles, PRIVILEGED):",
        "if False:",
        f"{_AT_GATE}test_a_privileged_option_needs_the_privileged_role",
    ),
    Plant(
        "refused calls are audited",
        _GATE,
        "    _audit(req, function, answer)\n",
        "",
        f"{_AT_GATE}test_each_refusal_is_one_line_of_the_audit",
    ),
    Plant(
        "callers are counted",
        _GATE,
        "        count_request(principal)\n",
        "",
        f"{_AT_GATE}test_refused_calls_count_and_one_too_many_is_audited_too",
    ),
    Plant(
        "keys stay off Azure",
        "gateways/auth_settings.py",
        'if os.environ.get("WEBSITE_SITE_NAME") and',
        "if False and",
        "tests/gateways/test_auth_settings.py::test_keys_are_for_a_developers_machine",
    ),
    Plant(
        "there is no default",
        "gateways/auth_settings.py",
        "    if not chosen:\n",
        "    if False:\n",
        "tests/gateways/test_auth_settings.py::test_there_is_no_default",
    ),
    Plant(
        "a token's audience",
        _TOKENS,
        'options={"require"',
        'options={"verify_aud": False, "require"',
        f"{_BAD_TOKEN}[aud of another API]",
    ),
    Plant(
        "a token's end",
        _TOKENS,
        'options={"require"',
        'options={"verify_exp": False, "require"',
        f"{_BAD_TOKEN}[expired]",
    ),
    Plant(
        "a token's beginning",
        _TOKENS,
        'options={"require"',
        'options={"verify_nbf": False, "require"',
        f"{_BAD_TOKEN}[not yet valid]",
    ),
    Plant(
        "a token's signature",
        _TOKENS,
        'options={"require"',
        'options={"verify_signature": False, "require"',
        f"{_BAD_TOKEN}[own kid, foreign key]",
    ),
    Plant(
        "60 seconds and no more",
        _TOKENS,
        "LEEWAY_SECONDS = 60",
        "LEEWAY_SECONDS = 600",
        f"{_BAD_TOKEN}[expired for 90 seconds]",
    ),
    Plant(
        "a token's tenant",
        _TOKENS,
        'if guid(good, "tid") != settings.tenant:',
        "if False:",
        f"{_BAD_TOKEN}[tid of another tenant]",
    ),
    Plant(
        "a token's version",
        _TOKENS,
        'if good.get("ver") != key.version:',
        "if False:",
        f"{_BAD_TOKEN}[ver of the other issuer]",
    ),
    Plant("no nested token", _TOKENS, ' or "cty" in header', "", f"{_BAD_TOKEN}[good claims, said to be nested]"),
    Plant(
        "a token's size",
        _TOKENS,
        "if len(token) > LARGEST_TOKEN:",
        "if False:",
        "tests/gateways/entra/test_tokens.py::test_the_longest_token_and_one_character_more",
    ),
    Plant("an ID token is none", _CLAIMS, 'if of_type == "app" or', "if True or", f"{_BAD_TOKEN}[an ID token]"),
    Plant(
        "groups that are left out",
        _CLAIMS,
        "if _leaves_groups_out(claims):",
        "if False:",
        "tests/gateways/entra/test_tokens.py::test_groups_that_are_left_out_are_no_reason_to_guess",
    ),
    Plant(
        "keys are Entra's",
        _KEYS,
        " or _origin(keys_url) != _origin(login):",
        ":",
        f"{_OF_KEYS}test_a_document_that_cannot_be_right",
    ),
    Plant(
        "an issuer is the tenant's",
        _KEYS,
        "or not _is_of(tenant, name):",
        "or False:",
        f"{_OF_KEYS}test_a_document_that_cannot_be_right",
    ),
    Plant(
        "unknown keys and looks",
        _KEYS,
        "_BETWEEN_LOOKS, _AFTER_FAILURE = 15.0,",
        "_BETWEEN_LOOKS, _AFTER_FAILURE = 0.0,",
        f"{_OF_KEYS}test_unknown_keys_do_not_make_the_app_ask_at_every_call",
    ),
    # What they may.
    Plant(
        "who has a role",
        _DECISIONS,
        "and holds(_named(entry, caller), role)\n\n\ndef _named",
        "\n\n\ndef _named",
        f"{_OF_POLICY}test_a_role_holds_where_token_and_policy_both_give_it",
    ),
    Plant(
        "the token is the ceiling",
        _DECISIONS,
        "return holds(caller.roles, role) and holds(_named",
        "return holds(_named",
        f"{_OF_POLICY}test_the_lesser_of_token_and_policy_counts",
    ),
    Plant(
        "applications that approve",
        _DECISIONS,
        "if role == APPROVER and caller.kind == APPLICATION:",
        "if False:",
        f"{_OF_POLICY}test_an_application_approves_only_where_it_is_listed",
    ),
    Plant(
        "system namespaces",
        _DECISIONS,
        "if namespace is not None and is_system(namespace):",
        "if False:",
        f"{_OF_POLICY}test_namespaces_of_the_system_are_refused_whatever_the_policy_lists",
    ),
    Plant("listed clusters", _DECISIONS, "not _listed(entry.clusters, cluster):", "False:", _NOT_LISTED),
    Plant("listed identities", _DECISIONS, "not _listed(entry.identities, identity):", "False:", _NOT_LISTED),
    Plant(
        "listed secrets",
        _DECISIONS,
        "elif not any(fits_secret(pattern, secret) for pattern in entry.secrets):",
        "elif False:",
        f"{_OF_POLICY}test_secrets_are_those_of_the_listed_vaults_and_under_known_names_only",
    ),
    Plant(
        "known protected settings",
        _DECISIONS,
        "if name not in PROTECTED:",
        "if False:",
        f"{_OF_POLICY}test_secrets_are_those_of_the_listed_vaults_and_under_known_names_only",
    ),
    Plant(
        "listed relays",
        _DECISIONS,
        "and not _is_listed_relay(entry, plain):",
        "and False:",
        f"{_OF_POLICY}test_a_relay_in_the_settings_has_to_be_listed",
    ),
    Plant(
        "roles to grant",
        _DECISIONS,
        "if not may_grant(entry, role):",
        "if False:",
        f"{_OF_POLICY}test_every_role_that_may_come_to_be_granted_has_to_be_grantable_by_name_or_id",
    ),
    Plant(
        "a star stays in its segment",
        "domain/access/patterns.py",
        "if len(pattern) != len(segments):",
        "if False:",
        "tests/domain/access/test_patterns.py::test_a_star_stands_for_text_within_one_segment",
    ),
    Plant(
        "others' operations",
        _ALLOWED,
        "entry is not None and has_role(entry, caller, READER)",
        "entry is not None",
        "tests/operations/test_allowed.py::test_one_sees_the_operations_of_workspaces_where_one_may_read",
    ),
    Plant(
        "what is approved fits still",
        _ALLOWED,
        "    if approves:\n",
        "    if False:\n",
        "tests/operations/test_allowed.py::test_what_the_policy_has_no_room_for_any_more_can_be_rejected_and_not_approved",
    ),
    Plant(
        "a retry is judged again",
        "triggers/http/decisions.py",
        "    await asyncio.to_thread(check_retry, caller, before)\n",
        "",
        "tests/triggers/http/test_scoping.py::test_who_may_read_and_no_more_is_refused_to_change",
    ),
    Plant(
        "a cancel is judged",
        "triggers/http/decisions.py",
        "    await asyncio.to_thread(check_cancel, caller, before)\n",
        "",
        "tests/triggers/http/test_scoping.py::test_who_may_read_and_no_more_is_refused_to_change",
    ),
    Plant(
        "the last good policy ends",
        _POLICY,
        "or clock.steady() - held.seen > GOOD_FOR:",
        "or False:",
        "tests/gateways/test_policy.py::test_the_last_good_one_counts_for_a_quarter_of_an_hour",
    ),
    Plant(
        "a policy is of this cloud",
        _POLICY,
        "    origin = _checked(url)\n",
        '    origin = "https://moorpolicies.blob.core.windows.net"\n',
        "tests/gateways/test_policy.py::test_the_app_s_token_goes_to_a_blob_of_this_cloud_only",
    ),
    # Approvals.
    Plant(
        "nobody approves their own",
        _DECIDE,
        'if who == (operation.requested_by.principal or "").lower():',
        "if False:",
        "tests/operations/test_decide.py::test_whoever_asked_for_it_may_reject_and_not_approve",
    ),
    Plant(
        "nor what they retried",
        _DECIDE,
        "if who in {each.lower() for each in operation.retried_by}:",
        "if False:",
        "tests/operations/test_decide.py::test_whoever_had_it_retried_may_reject_and_not_approve",
    ),
    Plant(
        "no name, no answer",
        _DECIDE,
        "if not by.principal:",
        "if False:",
        "tests/operations/test_decide.py::test_nobody_without_a_name_answers",
    ),
    Plant(
        "one answer to a question",
        _DECIDE,
        "if question.answer is not None:",
        "if False:",
        "tests/operations/test_decide.py::test_a_question_that_is_answered_takes_no_other_answer_nor_the_same",
    ),
    Plant(
        "an answer in time",
        _DECIDE,
        "if clock.now() >= question.expires:",
        "if False:",
        "tests/operations/test_decide.py::test_an_answer_too_late_is_refused_and_changes_nothing",
    ),
    Plant(
        "only the next step",
        "activities/runtime/step.py",
        "if step is None or not is_next(begun.operation, call.step):",
        "if step is None:",
        "tests/activities/runtime/test_started_from_outside.py::test_only_the_step_that_it_stands_at_is_done",
    ),
    # Where tokens go.
    Plant(
        "no token to another host",
        "gateways/azure/own_host.py",
        "if self._own is None or origin_of(request.http_request.url) != self._own:",
        "if False:",
        "tests/gateways/azure/test_own_host.py::test_a_request_to_another_host_gets_no_token",
    ),
    Plant(
        "no connection to another host",
        "gateways/azure/own_host.py",
        "if origin is None or not self._allowed(origin):",
        "if False:",
        "tests/gateways/azure/test_own_host.py::test_the_transport_connects_to_no_other_host",
    ),
    Plant(
        "a vault of this cloud",
        "gateways/azure/key_vault.py",
        'if not secret_id.host.endswith("." + domain) or',
        "if False and",
        "tests/gateways/azure/test_key_vault.py::test_no_other_cloud_is_asked",
    ),
    Plant(
        "a cluster's own server",
        "gateways/kubernetes/connection.py",
        'if not _is_own_server(kept["server"], servers):',
        "if False:",
        "tests/gateways/kubernetes/test_connection.py::test_another_server_gets_no_token_and_a_command_may_help",
    ),
    Plant(
        "a cluster's own relay",
        "domain/access/relay.py",
        "return is_own(relay, cluster) or allowed(",
        "return True or allowed(",
        "tests/activities/access/test_relay.py::test_a_forged_relay_is_neither_called_nor_granted_on",
    ),
    # Secrets, and requests that mean what they say.
    Plant("bearer tokens", _REDACTION, "    text = _SCHEME.sub(_without_credential, text)\n", "", f"{_SECRET}[bearer]"),
    Plant("PEM blocks", _REDACTION, "    text = _PEM.sub(REDACTED, text)\n", "", f"{_SECRET}[PEM]"),
    Plant(
        "users of URLs",
        _REDACTION,
        '    text = _USER.sub(f"{REDACTED}@", text)\n',
        "",
        f"{_SECRET}[URL with a password]",
    ),
    Plant(
        "tokens over two lines",
        _REDACTION,
        '_FURTHER.sub("", _DOTTED.sub(_without_token, text))',
        '_DOTTED.sub(_without_token, text).replace(_FOUND, "")',
        f"{_SECRET}[JWT over two lines]",
    ),
    Plant(
        "a blank option is none",
        "triggers/http/request.py",
        'return {**given, **dict.fromkeys(empty, "")}',
        "return given",
        "tests/triggers/http/test_start.py::test_a_plan_without_a_value_is_no_attach",
    ),
    Plant(
        "an operation's id is its principal's",
        "operations/accept.py",
        "if owner_of(operation.requested_by) != owner_of(asked_by):",
        "if False:",
        "tests/operations/test_allowed.py::test_an_operation_id_is_its_principal_s",
    ),
    Plant(
        "a name once in an object",
        "domain/requests/strict_json.py",
        "if len(value) < len(pairs):",
        "if False:",
        "tests/domain/requests/test_strict_json.py::test_every_oddity_is_reported_where_it_stands",
    ),
    Plant(
        "a malformed event is taken",
        "triggers/event_reader.py",
        "except Exception as error:",
        "except MemoryError as error:",
        "tests/triggers/test_event_reader.py::test_no_malformed_event_fails",
    ),
    Plant(
        "only what a look called for",
        "triggers/events.py",
        'called_for.read, call["cluster"])',
        'lambda: call["requests"])',
        "tests/triggers/test_events.py::test_requests_that_no_look_called_for_are_not_accepted",
    ),
)
