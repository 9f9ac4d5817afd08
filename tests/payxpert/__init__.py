"""A PayXpert of our own: a process over a SQLite file, written from what PayXpert publishes and with its weaknesses.

No keys, unsigned callbacks, a redirect whose data anybody who has the token could have made, an export that lags, one HTTP
200 over everything, refunds without a reference. What it does not say in public is decided against us.
"""
