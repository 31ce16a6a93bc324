"""Tasks that were done: an entry each in the history of the lead."""

from clinch.crm.activities.activity import Activity, ObjectId
from clinch.resources.fields import Ref, Shown, Text


class TaskCompleted(
    Activity,
    path="activity/task_completed",
    prefix="acti",
    table="activity",
    only={"_type": "TaskCompleted"},
):
    """That a task was done."""

    operations = ("list", "get", "delete")

    about = ObjectId(key="task_id", column="object_id", nullable=True, writable="internally")
    task_text = Text(writable="internally", packed=True)
    assigned_to = Ref(
        "user",
        key="task_assigned_to",
        nullable=True,
        enforced=False,
        writable="internally",
        packed=True,
    )
    task_assigned_to_name = Shown(assigned_to, "name")
    sequence_id = Text(nullable=True, writable="never", packed=True)
    sequence_name = Text(nullable=True, writable="never", packed=True)
    sequence_subscription_id = Text(nullable=True, writable="never", packed=True)
