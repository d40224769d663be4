"""The pages of the draft: the catalogue, access and limits, reach, and the settings document."""
