"""Questions of an analyst, and the SQL that answers them."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final


@dataclass(frozen=True)
class Question:
    """A question and its SQL over audit.events."""

    title: str
    sql: str


QUESTIONS: Final = (
    Question(
        "Who can manage a connection now, and who gave it to them?",
        """\
SELECT any(entity_name) AS connection,
       coalesce(any(member_username), 'group ' || any(group_name)) AS holder,
       argMax(actor_username, occurred_at) AS given_by,
       formatDateTime(max(occurred_at), '%F %H:%i') AS since
FROM audit.events
WHERE category = 'workspace_connections' AND outcome = 'success'
  AND entity_id NOT IN (
      SELECT entity_id FROM audit.events
      WHERE action = 'connection_deleted' AND outcome = 'success')
GROUP BY entity_id, member_id, group_id
HAVING argMax(coalesce(role, 'none'), occurred_at) = 'manage'
ORDER BY since""",
    ),
    Question(
        "What was done with a program that its user has used only once?",
        """\
SELECT formatDateTime(occurred_at, '%a %H:%i') AS time,
       actor_user_agent AS program, actor_ip AS address, sentence
FROM audit.events
WHERE (actor_id, actor_user_agent) IN (
      SELECT actor_id, actor_user_agent FROM audit.events
      WHERE actor_type = 'user'
      GROUP BY actor_id, actor_user_agent HAVING count() = 1)
  AND actor_id IN (
      SELECT actor_id FROM audit.events
      GROUP BY actor_id HAVING count() > 5)
ORDER BY occurred_at""",
    ),
    Question(
        "How does access change from day to day?",
        """\
SELECT toDate(occurred_at) AS day, count() AS events,
       countIf(role_change > 0) AS raised,
       countIf(role_change < 0) AS lowered,
       countIf(outcome = 'denied') AS denied, uniq(actor_id) AS actors
FROM audit.events
GROUP BY day ORDER BY day""",
    ),
)
