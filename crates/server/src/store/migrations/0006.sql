-- Held deletions that a person has dismissed: the plan's id, which the same set always gets. They stay held, and nobody is told of them again.
ALTER TABLE job ADD COLUMN dismissed_plan TEXT;
