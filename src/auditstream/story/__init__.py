"""Sample data: the story of a workspace, the same for the same seed.

People are invited, groups, collections and connections come and go, access is given and taken
away, over a week of office hours. Now and then somebody becomes admin or gets to manage a
connection, and some records are damaged, as in every real topic.
"""

from auditstream.story.story import Story

__all__ = ["Story"]
