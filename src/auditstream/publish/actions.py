"""A typed call for every action. Made from the catalogue by `auditstream.publish.generate`."""

from __future__ import annotations

from abc import ABC, abstractmethod
from typing import Literal, Unpack

from auditstream.publish.values import Common, Entity, Group, Member, Ref, Workspace


class Actions(ABC):
    """The actions of the catalogue, each a method.

    All arguments are named. Those every action takes are `auditstream.publish.values.Common`;
    `workspace` is that of the audit context unless given. All return the id of the event and
    raise as `emit` does.
    """

    @abstractmethod
    def emit(
        self,
        action: str,
        *,
        workspace: Workspace | None = None,
        entity: Entity | None = None,
        member: Member | None = None,
        group: Group | None = None,
        role: str | None = None,
        previous_role: str | None = None,
        **common: Unpack[Common],
    ) -> str:
        """Publish an event of any action of the catalogue; return its id."""

    def org_user_role_changed(
        self,
        *,
        workspace: Workspace,
        member: Member,
        role: Literal["viewer", "member", "admin"],
        previous_role: Literal["viewer", "member", "admin"] | None = None,
        **common: Unpack[Common],
    ) -> str:
        """Publish "member role changed".

        Reads as: {actor} changed the role of {member} in workspace {workspace} from {previous_role}
        to {role}. Severity: medium.
        """
        return self.emit(
            "org_user_role_changed",
            workspace=workspace,
            entity=workspace,
            member=member,
            role=role,
            previous_role=previous_role,
            **common,
        )

    def org_user_invited(
        self,
        *,
        workspace: Workspace,
        member: Member,
        role: Literal["viewer", "member", "admin"] | None = None,
        **common: Unpack[Common],
    ) -> str:
        """Publish "member invited".

        Reads as: {actor} invited {member} to workspace {workspace} as {role}. Severity: low.
        """
        return self.emit(
            "org_user_invited",
            workspace=workspace,
            entity=workspace,
            member=member,
            role=role,
            **common,
        )

    def org_user_invitation_resent(
        self,
        *,
        workspace: Workspace,
        member: Member,
        role: Literal["viewer", "member", "admin"] | None = None,
        **common: Unpack[Common],
    ) -> str:
        """Publish "invitation resent".

        Reads as: {actor} sent {member} the invitation to workspace {workspace} again. Severity:
        informational.
        """
        return self.emit(
            "org_user_invitation_resent",
            workspace=workspace,
            entity=workspace,
            member=member,
            role=role,
            **common,
        )

    def org_user_reinvited(
        self,
        *,
        workspace: Workspace,
        member: Member,
        role: Literal["viewer", "member", "admin"] | None = None,
        previous_role: Literal["viewer", "member", "admin"] | None = None,
        **common: Unpack[Common],
    ) -> str:
        """Publish "former member invited again".

        Reads as: {actor} invited the former member {member} back to workspace {workspace} as
        {role}. Severity: medium.
        """
        return self.emit(
            "org_user_reinvited",
            workspace=workspace,
            entity=workspace,
            member=member,
            role=role,
            previous_role=previous_role,
            **common,
        )

    def group_created(
        self,
        *,
        group: Group,
        workspace: Workspace | None = None,
        **common: Unpack[Common],
    ) -> str:
        """Publish "group created".

        Reads as: {actor} created group {entity}. Severity: low.
        """
        return self.emit(
            "group_created",
            workspace=workspace,
            entity=group,
            **common,
        )

    def group_member_added(
        self,
        *,
        group: Group,
        member: Member,
        workspace: Workspace | None = None,
        **common: Unpack[Common],
    ) -> str:
        """Publish "member added to group".

        Reads as: {actor} added {member} to group {entity}. Severity: low.
        """
        return self.emit(
            "group_member_added",
            workspace=workspace,
            entity=group,
            member=member,
            **common,
        )

    def group_member_removed(
        self,
        *,
        group: Group,
        member: Member,
        workspace: Workspace | None = None,
        **common: Unpack[Common],
    ) -> str:
        """Publish "member removed from group".

        Reads as: {actor} removed {member} from group {entity}. Severity: low.
        """
        return self.emit(
            "group_member_removed",
            workspace=workspace,
            entity=group,
            member=member,
            **common,
        )

    def group_deleted(
        self,
        *,
        group: Group,
        workspace: Workspace | None = None,
        **common: Unpack[Common],
    ) -> str:
        """Publish "group deleted".

        Reads as: {actor} deleted group {entity}. Severity: medium.
        """
        return self.emit(
            "group_deleted",
            workspace=workspace,
            entity=group,
            **common,
        )

    def workspace_default_access_changed(
        self,
        *,
        collection: Ref,
        role: Literal["none", "view", "edit", "manage"],
        previous_role: Literal["none", "view", "edit", "manage"] | None = None,
        workspace: Workspace | None = None,
        **common: Unpack[Common],
    ) -> str:
        """Publish "default workspace access changed".

        Reads as: {actor} changed the access of everyone in workspace {workspace} to collection
        {entity} from {previous_role} to {role}. Severity: medium.
        """
        return self.emit(
            "workspace_default_access_changed",
            workspace=workspace,
            entity=collection,
            role=role,
            previous_role=previous_role,
            **common,
        )

    def collection_created(
        self,
        *,
        collection: Ref,
        role: Literal["none", "view", "edit", "manage"] | None = None,
        workspace: Workspace | None = None,
        **common: Unpack[Common],
    ) -> str:
        """Publish "collection created".

        Reads as: {actor} created collection {entity}. Severity: informational.
        """
        return self.emit(
            "collection_created",
            workspace=workspace,
            entity=collection,
            role=role,
            **common,
        )

    def collection_deleted(
        self,
        *,
        collection: Ref,
        workspace: Workspace | None = None,
        **common: Unpack[Common],
    ) -> str:
        """Publish "collection deleted".

        Reads as: {actor} deleted collection {entity}. Severity: medium.
        """
        return self.emit(
            "collection_deleted",
            workspace=workspace,
            entity=collection,
            **common,
        )

    def collection_member_added(
        self,
        *,
        collection: Ref,
        member: Member,
        role: Literal["view", "edit", "manage"] | None = None,
        workspace: Workspace | None = None,
        **common: Unpack[Common],
    ) -> str:
        """Publish "member added to collection".

        Reads as: {actor} added {member} to collection {entity} with access {role}. Severity: low.
        """
        return self.emit(
            "collection_member_added",
            workspace=workspace,
            entity=collection,
            member=member,
            role=role,
            **common,
        )

    def collection_member_removed(
        self,
        *,
        collection: Ref,
        member: Member,
        previous_role: Literal["view", "edit", "manage"] | None = None,
        workspace: Workspace | None = None,
        **common: Unpack[Common],
    ) -> str:
        """Publish "member removed from collection".

        Reads as: {actor} removed {member} from collection {entity}. Severity: low.
        """
        return self.emit(
            "collection_member_removed",
            workspace=workspace,
            entity=collection,
            member=member,
            previous_role=previous_role,
            **common,
        )

    def collection_member_access_changed(
        self,
        *,
        collection: Ref,
        member: Member,
        role: Literal["view", "edit", "manage"],
        previous_role: Literal["view", "edit", "manage"] | None = None,
        workspace: Workspace | None = None,
        **common: Unpack[Common],
    ) -> str:
        """Publish "collection access changed for member".

        Reads as: {actor} changed the access of {member} to collection {entity} from {previous_role}
        to {role}. Severity: low.
        """
        return self.emit(
            "collection_member_access_changed",
            workspace=workspace,
            entity=collection,
            member=member,
            role=role,
            previous_role=previous_role,
            **common,
        )

    def collection_group_added(
        self,
        *,
        collection: Ref,
        group: Group,
        role: Literal["view", "edit", "manage"] | None = None,
        workspace: Workspace | None = None,
        **common: Unpack[Common],
    ) -> str:
        """Publish "group added to collection".

        Reads as: {actor} added group {group} to collection {entity} with access {role}. Severity:
        low.
        """
        return self.emit(
            "collection_group_added",
            workspace=workspace,
            entity=collection,
            group=group,
            role=role,
            **common,
        )

    def collection_group_removed(
        self,
        *,
        collection: Ref,
        group: Group,
        previous_role: Literal["view", "edit", "manage"] | None = None,
        workspace: Workspace | None = None,
        **common: Unpack[Common],
    ) -> str:
        """Publish "group removed from collection".

        Reads as: {actor} removed group {group} from collection {entity}. Severity: low.
        """
        return self.emit(
            "collection_group_removed",
            workspace=workspace,
            entity=collection,
            group=group,
            previous_role=previous_role,
            **common,
        )

    def collection_group_access_changed(
        self,
        *,
        collection: Ref,
        group: Group,
        role: Literal["view", "edit", "manage"],
        previous_role: Literal["view", "edit", "manage"] | None = None,
        workspace: Workspace | None = None,
        **common: Unpack[Common],
    ) -> str:
        """Publish "collection access changed for group".

        Reads as: {actor} changed the access of group {group} to collection {entity} from
        {previous_role} to {role}. Severity: low.
        """
        return self.emit(
            "collection_group_access_changed",
            workspace=workspace,
            entity=collection,
            group=group,
            role=role,
            previous_role=previous_role,
            **common,
        )

    def connection_created(
        self,
        *,
        connection: Ref,
        workspace: Workspace | None = None,
        **common: Unpack[Common],
    ) -> str:
        """Publish "connection created".

        Reads as: {actor} created connection {entity}. Severity: medium.
        """
        return self.emit(
            "connection_created",
            workspace=workspace,
            entity=connection,
            **common,
        )

    def connection_deleted(
        self,
        *,
        connection: Ref,
        workspace: Workspace | None = None,
        **common: Unpack[Common],
    ) -> str:
        """Publish "connection deleted".

        Reads as: {actor} deleted connection {entity}. Severity: high.
        """
        return self.emit(
            "connection_deleted",
            workspace=workspace,
            entity=connection,
            **common,
        )

    def connection_member_added_with_role(
        self,
        *,
        connection: Ref,
        member: Member,
        role: Literal["view", "query", "manage"],
        workspace: Workspace | None = None,
        **common: Unpack[Common],
    ) -> str:
        """Publish "member added to connection".

        Reads as: {actor} gave {member} the role {role} on connection {entity}. Severity: medium.
        """
        return self.emit(
            "connection_member_added_with_role",
            workspace=workspace,
            entity=connection,
            member=member,
            role=role,
            **common,
        )

    def connection_member_removed(
        self,
        *,
        connection: Ref,
        member: Member,
        previous_role: Literal["view", "query", "manage"] | None = None,
        workspace: Workspace | None = None,
        **common: Unpack[Common],
    ) -> str:
        """Publish "member removed from connection".

        Reads as: {actor} removed {member} from connection {entity}. Severity: low.
        """
        return self.emit(
            "connection_member_removed",
            workspace=workspace,
            entity=connection,
            member=member,
            previous_role=previous_role,
            **common,
        )

    def connection_group_added_with_role(
        self,
        *,
        connection: Ref,
        group: Group,
        role: Literal["view", "query", "manage"],
        workspace: Workspace | None = None,
        **common: Unpack[Common],
    ) -> str:
        """Publish "group added to connection".

        Reads as: {actor} gave group {group} the role {role} on connection {entity}. Severity:
        medium.
        """
        return self.emit(
            "connection_group_added_with_role",
            workspace=workspace,
            entity=connection,
            group=group,
            role=role,
            **common,
        )

    def connection_group_removed(
        self,
        *,
        connection: Ref,
        group: Group,
        previous_role: Literal["view", "query", "manage"] | None = None,
        workspace: Workspace | None = None,
        **common: Unpack[Common],
    ) -> str:
        """Publish "group removed from connection".

        Reads as: {actor} removed group {group} from connection {entity}. Severity: low.
        """
        return self.emit(
            "connection_group_removed",
            workspace=workspace,
            entity=connection,
            group=group,
            previous_role=previous_role,
            **common,
        )

    def connection_member_access_changed(
        self,
        *,
        connection: Ref,
        member: Member,
        role: Literal["view", "query", "manage"],
        previous_role: Literal["view", "query", "manage"] | None = None,
        workspace: Workspace | None = None,
        **common: Unpack[Common],
    ) -> str:
        """Publish "connection access changed for member".

        Reads as: {actor} changed the role of {member} on connection {entity} from {previous_role}
        to {role}. Severity: medium.
        """
        return self.emit(
            "connection_member_access_changed",
            workspace=workspace,
            entity=connection,
            member=member,
            role=role,
            previous_role=previous_role,
            **common,
        )

    def connection_group_access_changed(
        self,
        *,
        connection: Ref,
        group: Group,
        role: Literal["view", "query", "manage"],
        previous_role: Literal["view", "query", "manage"] | None = None,
        workspace: Workspace | None = None,
        **common: Unpack[Common],
    ) -> str:
        """Publish "connection access changed for group".

        Reads as: {actor} changed the role of group {group} on connection {entity} from
        {previous_role} to {role}. Severity: medium.
        """
        return self.emit(
            "connection_group_access_changed",
            workspace=workspace,
            entity=connection,
            group=group,
            role=role,
            previous_role=previous_role,
            **common,
        )

    def audit_log_accessed(
        self,
        *,
        audit_log: Ref,
        workspace: Workspace | None = None,
        **common: Unpack[Common],
    ) -> str:
        """Publish "audit log accessed".

        Reads as: {actor} read the audit log of workspace {workspace}. Severity: low.
        """
        return self.emit(
            "audit_log_accessed",
            workspace=workspace,
            entity=audit_log,
            **common,
        )
