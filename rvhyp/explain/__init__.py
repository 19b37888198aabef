"""Why a trap happened: the hart's own rules are run in plain Python and watched, so that nothing is said twice."""
