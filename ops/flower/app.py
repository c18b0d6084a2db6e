"""The Celery application that Flower is started with: the workers' settings, and none of their tasks.

Flower asks workers questions, and whoever reads an answer from Redis also gives back messages that seem forgotten,
after its own visibility timeout. Started with a broker's address alone, Flower would have Celery's hour and hand every
longer stage to a second worker; so it takes the workers' configuration. Flower imports what `imports` names, which for
workers is every stage and later torch: here it is nothing.
"""

from workers.app import make_app
from workers.settings import load_settings

app = make_app(load_settings())
app.conf.imports = ()
