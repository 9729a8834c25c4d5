"""The map of a story: every version of it, to go to any of them."""

from __future__ import annotations

from typing import ClassVar

from rich.text import Text
from textual import on
from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.containers import Vertical
from textual.widgets import Tree
from textual.widgets.tree import TreeNode

from mgpt_tui.stories.story import Author, Node, Story
from mgpt_tui.text import clean_text
from mgpt_tui.ui.screens.dialog import Dialog
from mgpt_tui.ui.widgets.plain import Plain

MARKS = {Author.WRITER: "│", Author.MODEL: "·"}
LONGEST = 60
"""Characters of a passage that the map shows."""


class BranchesScreen(Dialog[int | None]):
    """Answers with the node to go to, or None.

    Args:
        story: whose tree is shown.
    """

    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("escape,f7", "dismiss(None)", "cancel", show=False)
    ]

    def __init__(self, story: Story) -> None:
        super().__init__()
        self._story = story

    def compose(self) -> ComposeResult:
        box = Vertical(classes="box whole")
        box.border_title = "The versions of this story"
        box.border_subtitle = "enter or a click goes there · space folds · esc leaves"
        with box:
            yield Tree[int]("the beginning", data=0, id="map")
            yield Plain(
                "│ yours · the model's ⑂ cuts in above. ● where you are, ○ on the way there.",
                classes="help",
            )

    def on_mount(self) -> None:
        tree = self.query_one("#map", Tree)
        tree.auto_expand = False
        tree.root.expand()
        here = self._grow(tree)
        tree.focus()
        self.call_after_refresh(tree.move_cursor, here)

    def _grow(self, tree: Tree[int]) -> TreeNode[int]:
        """Add every passage; a line of passages with no branches stays on one level."""
        story, path = self._story, set(self._story.path)
        children: dict[int, list[Node]] = {}
        for node in story.nodes[1:]:
            children.setdefault(node.parent, []).append(node)
        places: dict[int, TreeNode[int]] = {0: tree.root}
        # Parents come before their children in `nodes`, so one pass builds the tree.
        for node in story.nodes[1:]:
            parent = places[node.parent]
            alone = len(children[node.parent]) == 1 and not self._cuts_in(node)
            above = parent.parent if alone and parent.parent else parent
            label = self._label(node, path)
            places[node.id] = above.add(label, data=node.id, expand=True)
            if node.id not in children:
                places[node.id].allow_expand = False
        return places[story.here]

    def _cuts_in(self, node: Node) -> bool:
        """Whether it hangs within the passage above rather than at its end."""
        return node.at < len(self._story.nodes[node.parent].span.text)

    def _label(self, node: Node, path: set[int]) -> Text:
        """What the map says of a passage."""
        cut = "⑂ " if self._cuts_in(node) else ""
        mark = "●" if node.id == self._story.here else "○" if node.id in path else " "
        words = " ".join(clean_text(node.span.text).split())
        short = words if len(words) <= LONGEST else words[: LONGEST - 1] + "…"
        style = "bold" if node.id in path else "dim"
        return Text.assemble(f"{mark} {MARKS[node.span.author]} {cut}", (short, style))

    @on(Tree.NodeSelected)
    def choose(self, event: Tree.NodeSelected[int]) -> None:
        """Answer with the passage under the cursor."""
        self.dismiss(event.node.data)
