"""What DIAL Core does with a settings file: pure functions on plain data.

No Django, no files, no clock in here; everything else asks these modules. The rooms, in the order in
which a settings file passes through them:

- `text`      one file's text to a document, as Core's parser reads it; numbers stay as written
- `merge`     several documents to one, as Core lays files over each other
- `versions`  which key which Core version knows: the one place to edit for a new Core
- `coerce`    which JSON value Core accepts for a field, and what it makes of it
- `patterns`  whether a text is a regular expression of Java
- `bind`      the document against the table of `versions`: every refusal of Core's parser
- `load`      a document to `Settings`, or to all the reasons why Core refuses it
- `access`    who is let in by `userRoles`
- `limits`    which limits apply to whom, and through which role
- `evaluate`  files and principals in, everybody's access and limits out
- `check`     findings: what Core refuses, and what would surprise people
- `compare`   what changed for whom between two settings
- `mends`     carrying out the mechanical mend of a finding
- `secrets`   where the secrets are, and how to show a document without them
- `render`    a document to text, always the same for the same document
- `findings`  the shape of what is reported

Comments name the section of the reference behind a rule, as in "core-semantics 3.1".
"""
