// In front of every other file of a kernel that uses them: the feature of that name.
enable subgroups;
