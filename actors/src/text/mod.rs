//! What are the words and the sentences of a text? Pure; positions are UTF-8 bytes.
