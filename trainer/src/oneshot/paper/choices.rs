//! What the paper leaves open, and what was chosen: told with every result.

/// What is open, and what is done here.
pub const CHOICES: &[(&str, &str)] = &[
    ("How a picture of 200 x 200 becomes an input of 100 x 100", "the mean of each 2 x 2 pixels"),
    ("How many pairs an epoch has", "as many as there are training pictures"),
    (
        "Whether the two pictures of a pair are changed alike",
        "each is turned, mirrored and brightened by itself",
    ),
    ("Whether a pair of one class may be one picture twice", "no"),
    ("Which classes and which pictures a pair is of", "all equally likely"),
    ("The last layer of the encoder", "linear (figure 1 and section 3 disagree about a ReLU on five values)"),
    ("First weights", "He's, drawn from the seed"),
    ("Which epoch's network is tested", "the last; no picture is kept back to choose one"),
    (
        "How many pairs are tested",
        "all of them, pairs of one class and of two weighing a half each: no draw, no luck",
    ),
    ("The classifier's output", "softmax (the paper writes sigmoid with categorical cross-entropy)"),
    ("Augmentation and learning rate of the classifier", "as of the Siamese network"),
    ("The 80 % of table 3 and of the classifier", "drawn from the seed, 80 % of each class"),
    (
        "The nearest neighbour's pictures",
        "100 x 100 pixels; one picture a class is drawn 1,000 times, where the paper drew once",
    ),
    ("Pictures", "250 a class are given; the paper had 300"),
];
